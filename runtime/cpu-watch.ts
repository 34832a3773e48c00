import { parseCgroupPath } from './cgroup-path.ts';
import type { CgroupTree } from './cgroup-tree.ts';
import type { Containers } from './containers.ts';
import type { Correlator } from './correlator.ts';
import { type CpuMounts, readCpu } from './cpu-accounting.ts';
import { type CpuState, stepCpu } from './detectors/cpu.ts';
import type { ProcFs } from './proc-fs.ts';
import type { Process, Processes } from './processes.ts';
import { isWithin, type Scope } from './scope.ts';

export interface CpuWatchOptions {
  tree: CgroupTree;
  mounts: CpuMounts;
  scope: Scope;
  containers: Containers;
  processes: Processes;
  proc: ProcFs;
  correlator: Correlator;
}

/** Reads the CPU time of every container and reports those that take all of it for the first time in their life. */
export class CpuWatch {
  readonly #options: CpuWatchOptions;
  #states = new Map<string, CpuState>();

  constructor(options: CpuWatchOptions) {
    this.#options = options;
  }

  /** `now` in milliseconds since 1970. Every ten seconds is enough. */
  sample(now: number): void {
    const { tree, mounts, scope, correlator } = this.#options;
    const states = new Map<string, CpuState>();
    for (const [, path] of tree.entries()) {
      const identity = parseCgroupPath(path);
      // A pod's own folder would count its containers twice.
      const isPod = identity !== undefined && identity.podUid !== null && identity.containerId === null;
      if (identity?.path !== path || isPod || !isWithin(scope.path, path)) continue;
      const sample = readCpu(mounts, path, now);
      if (!sample) continue;
      const { state, findings } = stepCpu(this.#states.get(path), sample);
      states.set(path, state);
      const process = findings.length > 0 ? this.#busiest(path) : undefined;
      if (process) correlator.add({ time: now, process, findings, action: 'none', evidence: {} });
    }
    this.#states = states;
  }

  /** The process of a cgroup that used most CPU time in its life: that of a miner in a container is soon its own. */
  #busiest(path: string): Process | undefined {
    const { tree, proc, processes } = this.#options;
    const [pid] = tree
      .pids(path)
      .map((one) => [one, proc.stat(one)?.cpu ?? 0] as const)
      .reduce((best, one) => (one[1] > best[1] ? one : best), [0, -1] as const);
    return pid === 0 ? undefined : processes.living(pid);
  }
}
