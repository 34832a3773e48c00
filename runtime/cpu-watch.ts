import { parseCgroupPath } from './cgroup-path.ts';
import type { CgroupTree } from './cgroup-tree.ts';
import type { Correlator } from './correlator.ts';
import { type CpuMounts, readCpu } from './cpu-accounting.ts';
import { type CpuState, cpuEvidence, stepCpu } from './detectors/cpu.ts';
import type { Processes } from './processes.ts';
import { isWithin, type Scope } from './scope.ts';

export interface CpuWatchOptions {
  tree: CgroupTree;
  mounts: CpuMounts;
  scope: Scope;
  processes: Processes;
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
    const { tree, mounts, scope, processes, correlator } = this.#options;
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
      const process = findings.length > 0 ? processes.busiest(tree.pids(path)) : undefined;
      if (!process) continue;
      correlator.add({ time: now, process, findings, action: 'none', evidence: cpuEvidence(state) });
    }
    this.#states = states;
  }
}
