import { LRUCache } from 'lru-cache';
import type { Habit } from '../api/node-state.ts';
import { parseCgroupPath } from './cgroup-path.ts';
import type { CgroupTree } from './cgroup-tree.ts';
import type { Containers } from './containers.ts';
import type { Correlator } from './correlator.ts';
import { type CpuMounts, readCpu } from './cpu-accounting.ts';
import type { Forgetful, Gone } from './departures.ts';
import {
  type CpuHabit,
  type CpuState,
  cpuEvidence,
  LEARNED_MOST_MS,
  SATURATED,
  stepCpu,
} from './detectors/cpu.ts';
import type { Processes } from './processes.ts';
import { isWithin, type Scope } from './scope.ts';
import { ThreadUse } from './thread-use.ts';

export interface CpuWatchOptions {
  tree: CgroupTree;
  mounts: CpuMounts;
  scope: Scope;
  procRoot: string;
  containers: Containers;
  processes: Processes;
  correlator: Pick<Correlator, 'add'>;
}

/** What is known of one container. */
interface Watched {
  state: CpuState;
  threads: ThreadUse | undefined;
}

const WORKLOADS = 4096;

/** Habits in one report. */
const TOLD = 500;

/** Reads the CPU time of every container and reports those that take far more of it than is their habit. */
export class CpuWatch implements Forgetful {
  readonly #options: CpuWatchOptions;
  #watched = new Map<string, Watched>();
  /** Habits of workloads, for their next container on this node. */
  readonly #habits = new LRUCache<string, CpuHabit>({ max: WORKLOADS });

  constructor(options: CpuWatchOptions) {
    this.#options = options;
  }

  /** `now` in milliseconds since 1970. Every ten seconds is enough. */
  sample(now: number): void {
    const { tree, scope, processes, correlator } = this.#options;
    const watched = new Map<string, Watched>();
    for (const [, path] of tree.entries()) {
      const identity = parseCgroupPath(path);
      // A pod's own folder would count its containers twice.
      const isPod = identity !== undefined && identity.podUid !== null && identity.containerId === null;
      if (identity?.path !== path || isPod || !isWithin(scope.path, path)) continue;
      const step = this.#step(path, now);
      if (!step) continue;
      const { findings, ...next } = step;
      watched.set(path, next);
      const process = findings.length > 0 ? processes.busiest(tree.pids(path)) : undefined;
      if (!process) continue;
      correlator.add({ time: now, process, findings, action: 'none', evidence: cpuEvidence(next.state) });
    }
    this.#watched = watched;
  }

  /** What the workloads that run here usually take, as far as their names are known. */
  habits(): Habit[] {
    const workloads = new Set([...this.#watched.keys()].map((path) => this.#workloadOf(path)));
    return [...workloads]
      .filter((workload) => !workload.startsWith('/'))
      .slice(0, TOLD)
      .map((workload) => {
        const { mean = 0, learned = 0 } = this.#habits.get(workload) ?? {};
        return { workload, cpus: mean, seconds: Math.floor(learned / 1000) };
      });
  }

  /** What other nodes have watched for longer than this one: for containers that run, and for those to come. */
  learn(habits: readonly Habit[]): void {
    for (const { workload, cpus, seconds } of habits) {
      const habit = { mean: cpus, learned: Math.min(seconds * 1000, LEARNED_MOST_MS) };
      if ((this.#habits.get(workload)?.learned ?? 0) >= habit.learned) continue;
      this.#habits.set(workload, habit);
      for (const [path, watched] of this.#watched) {
        if (this.#workloadOf(path) === workload)
          this.#watched.set(path, { ...watched, state: { ...watched.state, habit } });
      }
    }
  }

  /** A container without a workload took its habit along. */
  forget({ path }: Gone, isGone: boolean): void {
    if (isGone) this.#habits.delete(path);
  }

  #step(path: string, now: number) {
    const { tree, mounts, procRoot } = this.#options;
    const usage = readCpu(mounts, path, now);
    if (!usage) return undefined;
    const before = this.#watched.get(path);
    const last = before?.state.last ?? { ...usage, time: 0 };
    const wanted = usage.usage - last.usage + usage.waiting - last.waiting;
    // Only what wants about a whole CPU can have a thread that does.
    const mayPeg = wanted / 1000 / Math.max(now - last.time, 1) >= SATURATED * 0.9;
    const threads = mayPeg ? (before?.threads ?? new ThreadUse(procRoot)) : undefined;
    const pegged = threads?.pegged(tree.pids(path), SATURATED, now) ?? 0;
    const workload = this.#workloadOf(path);
    const step = stepCpu(before?.state, { ...usage, pegged }, this.#habits.get(workload));
    this.#habits.set(workload, step.state.habit);
    return { ...step, threads };
  }

  /** Pods of one workload are alike; without a name each container is its own. */
  #workloadOf(path: string): string {
    const { containers } = this.#options;
    const container = containers.at(path);
    const { namespace, workload, name } = containers.describe(container) ?? {};
    return workload ? `${namespace}/${workload.kind}/${workload.name}/${name}` : path;
  }
}
