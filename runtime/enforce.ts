import type { Action } from '../api/detection.ts';
import type { Finding } from '../api/finding.ts';
import { PROTECTED_NAMESPACES } from '../api/names.ts';
import type { Quarantine } from '../api/quarantine.ts';
import { CONCLUSIVE } from '../api/weight.ts';
import { type CgroupKey, type Control, POLICY } from '../bpf/control.ts';
import { judgementOf } from '../detection/verdict.ts';
import { cgroupPathOf, parseCgroupPath } from './cgroup-path.ts';
import type { Container, Containers } from './containers.ts';
import type { Freezer } from './freezer.ts';
import { KernelLists } from './kernel-lists.ts';
import type { Log } from './log.ts';
import type { PodInfo, Pods } from './pods.ts';
import type { EnforceMode, RuntimePolicy } from './policy.ts';
import type { ProcFs } from './proc-fs.ts';
import type { Process } from './processes.ts';
import { ticksOf } from './processes.ts';
import { isWithin } from './scope.ts';

export interface EnforcerOptions {
  control: Control;
  containers: Containers;
  pods: Pods;
  proc: ProcFs;
  freezer: Freezer;
  /** Only this cgroup and what is below it is acted on; the whole node when undefined. */
  scope: CgroupKey | undefined;
  /** Whether the program that drops packets is at work. */
  canCut: boolean;
  log: Log;
}

/** Rules that the kernel acts on by itself. */
const KERNEL_RULES = ['miner-name', 'pool-address', 'pool-protocol'];

/** What the kernel does by itself in enforce mode. What is to be frozen must not be killed. */
const ACT = {
  kill: POLICY.kill | POLICY.refuse | POLICY.drop,
  freeze: POLICY.refuse | POLICY.drop,
} as const;

/**
 * What is done to processes, beside watching them. Names and addresses are always listed in the kernel, so that it
 * reports a match; in enforce mode it also kills, refuses and drops by itself. Contained pods lose their egress in
 * either mode: a Quarantine is somebody's decision. Pods of protected namespaces are left alone whatever else holds.
 */
export class Enforcer {
  readonly #options: EnforcerOptions;
  readonly #lists: KernelLists;
  /** Cgroups of each pod, by its uid; one for each hierarchy that it is in. */
  readonly #cgroups = new Map<string, CgroupKey[]>();
  readonly #quarantines = new Map<string, Quarantine>();
  /** What the kernel was told, so that only changes are written. */
  readonly #written = new Map<string, number>();
  /** Our own cgroup: an agent that freezes itself helps nobody. */
  readonly #own: string;
  #policy: RuntimePolicy | undefined;

  constructor(options: EnforcerOptions) {
    this.#options = options;
    this.#lists = new KernelLists(options.control);
    this.#own = cgroupPathOf(options.proc.cgroup(process.pid) ?? '');
  }

  /** What holds from now on. */
  apply(policy: RuntimePolicy): void {
    this.#lists.set(policy.indicators);
    this.#lists.allow(policy.allowed);
    this.#setEverywhere(policy);
    this.#policy = policy;
    this.#reconcile();
  }

  /** The listed domain that an event names by its number. */
  domain(number: number): string | undefined {
    return this.#lists.domain(number);
  }

  /** A cgroup that exists, or was just made. */
  cgroupMade(key: CgroupKey, path: string): void {
    const identity = parseCgroupPath(path);
    if (identity?.podUid == null || identity.containerId !== null || identity.path !== path) return;
    const keys = this.#cgroups.get(identity.podUid) ?? [];
    if (!keys.some((known) => sameKey(known, key))) this.#cgroups.set(identity.podUid, [...keys, key]);
    this.podsChanged([identity.podUid]);
  }

  cgroupRemoved(key: CgroupKey): void {
    for (const [uid, keys] of this.#cgroups) {
      if (!keys.some((known) => sameKey(known, key))) continue;
      const rest = keys.filter((known) => !sameKey(known, key));
      if (rest.length === 0) this.#cgroups.delete(uid);
      else this.#cgroups.set(uid, rest);
      this.#write(key, 0);
    }
  }

  /**
   * What is known about these pods changed. A pod whose object is gone may still run, as after a forced deletion:
   * what holds for it holds until its cgroup is gone.
   */
  podsChanged(uids: Iterable<string>): void {
    for (const uid of uids) {
      const pod = this.#options.pods.get(uid);
      if (!pod) continue;
      for (const key of this.#cgroups.get(uid) ?? []) this.#write(key, this.#policyOf(pod));
    }
  }

  /** The quarantines that have pods here: those all of whose pods the kernel keeps from sending, and the others. */
  cuts(): { egressCut: string[]; egressOpen: string[] } {
    const cuts: { egressCut: string[]; egressOpen: string[] } = { egressCut: [], egressOpen: [] };
    for (const [name, { spec }] of this.#quarantines) {
      const contained = [...this.#cgroups].filter(([uid]) => {
        const pod = this.#options.pods.get(uid);
        return pod !== undefined && covers(spec, pod);
      });
      if (contained.length === 0) continue;
      const isCut = contained.every(([, keys]) => keys.some((key) => this.#isCut(key)));
      cuts[isCut ? 'egressCut' : 'egressOpen'].push(name);
    }
    return cuts;
  }

  /** Packets are seen in v2 only, and protection beats all else. */
  #isCut(key: CgroupKey): boolean {
    const policy = this.#written.get(nameOf(key)) ?? 0;
    const isSeen = (key.version ?? 2) === 2 && this.#options.canCut;
    return isSeen && (policy & POLICY.quarantined) !== 0 && (policy & POLICY.protected) === 0;
  }

  contain(quarantine: Quarantine): void {
    this.#quarantines.set(quarantine.metadata.name ?? '', quarantine);
    this.#reconcile();
  }

  /** Lifts a containment; what it stood still goes on. */
  release(name: string): void {
    const released = this.#quarantines.get(name);
    this.#quarantines.delete(name);
    this.#reconcile();
    this.#options.freezer.thaw((container) => {
      const pod = container && this.#options.containers.pod(container);
      return released !== undefined && pod !== undefined && covers(released.spec, pod);
    });
  }

  /**
   * Stops `process` for these findings, which are about nobody else, where that is wanted: kills it, or freezes its
   * container. Processes of the node are killed, since there is nothing to freeze.
   */
  stop(process: Process, findings: readonly Finding[]): Action {
    const { containers, freezer } = this.#options;
    if (process.pid <= 1 || process.pid === globalThis.process.pid) return 'none';
    const pod = containers.pod(process.container);
    if (this.#modeOf(pod) !== 'enforce') return 'none';
    const counting = pod ? findings.filter(({ rule }) => !this.#policy?.exempts(rule, pod)) : findings;
    if (judgementOf(counting).score < CONCLUSIVE || (pod && isProtected(pod))) return 'none';
    const mayFreeze = this.#policy?.stop === 'freeze' && !isWithin(process.container.cgroup, this.#own);
    if (mayFreeze && freezer.freeze(process.container)) return 'frozen';
    return this.#kill(process) ? 'killed' : 'none';
  }

  /** False when it was gone already. The start time is compared first, so that the pid is still the process. */
  #kill({ pid, start }: Process): boolean {
    if (!this.#options.proc.is(pid, ticksOf(start))) return false;
    try {
      return process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
      throw error;
    }
  }

  #modeOf(pod: PodInfo | undefined): EnforceMode {
    return (pod && this.#policy?.modeOf(pod)) ?? this.#policy?.mode ?? 'detect';
  }

  #setEverywhere({ mode, stop }: RuntimePolicy): void {
    if (mode === this.#policy?.mode && stop === this.#policy.stop) return;
    const { control, scope, log } = this.#options;
    const policy = mode === 'enforce' ? ACT[stop] : 0;
    if (scope) control.setCgroup(scope, policy);
    else control.setEverywhere(policy);
    log.info({ mode, stop }, 'enforcement changed');
  }

  #reconcile(): void {
    this.podsChanged(this.#cgroups.keys());
    this.#options.freezer.thaw((container) => !this.#isToStand(container));
  }

  /** Whether a container that was frozen is to stay so: until enforcement ends for it, or its release. */
  #isToStand(container: Container | undefined): boolean {
    const pod = container && this.#options.containers.pod(container);
    return this.#policy?.stop === 'freeze' && this.#modeOf(pod) === 'enforce' && !(pod && isProtected(pod));
  }

  #policyOf(pod: PodInfo): number {
    const policy = this.#policy;
    const contained = [...this.#quarantines.values()].some(({ spec }) => covers(spec, pod));
    const mode = this.#modeOf(pod);
    // The kernel cannot tell rules apart: a pod that may run what it lists is left to user space. Containment stays.
    const isExempt = mode === 'detect' || KERNEL_RULES.some((rule) => policy?.exempts(rule, pod));
    const spared = isProtected(pod) || (!contained && isExempt && policy?.mode === 'enforce');
    const acts = mode === 'enforce' && policy?.mode === 'detect' && !isExempt ? ACT[policy.stop] : 0;
    return acts | (contained ? POLICY.quarantined : 0) | (spared ? POLICY.protected : 0);
  }

  #write(key: CgroupKey, policy: number): void {
    const name = nameOf(key);
    if ((this.#written.get(name) ?? 0) === policy) return;
    this.#options.control.setCgroup(key, policy);
    if (policy === 0) this.#written.delete(name);
    else this.#written.set(name, policy);
  }
}

function isProtected({ namespace }: PodInfo): boolean {
  return PROTECTED_NAMESPACES.includes(namespace);
}

function covers({ namespace, workload }: Quarantine['spec'], pod: PodInfo): boolean {
  if (pod.namespace !== namespace) return false;
  if (!workload) return true;
  const { kind, name } = pod.workload;
  if (kind === workload.kind) return name === workload.name;
  // A pod names its Job, which carries the name of its CronJob.
  return workload.kind === 'CronJob' && kind === 'Job' && name.startsWith(`${workload.name}-`);
}

function nameOf({ id, version }: CgroupKey): string {
  return `${version ?? 2}:${id}`;
}

function sameKey(a: CgroupKey, b: CgroupKey): boolean {
  return a.id === b.id && (a.version ?? 2) === (b.version ?? 2);
}
