import { CONCLUSIVE, type Finding } from '../api/finding.ts';
import { PROTECTED_NAMESPACES } from '../api/names.ts';
import type { Quarantine } from '../api/quarantine.ts';
import { type CgroupKey, type Control, POLICY } from '../bpf/control.ts';
import { judgementOf } from '../detection/verdict.ts';
import { parseCgroupPath } from './cgroup-path.ts';
import type { Containers } from './containers.ts';
import { KernelLists } from './kernel-lists.ts';
import type { Log } from './log.ts';
import type { PodInfo, Pods } from './pods.ts';
import type { EnforceMode, RuntimePolicy } from './policy.ts';
import type { ProcFs } from './proc-fs.ts';
import type { Process } from './processes.ts';
import { ticksOf } from './processes.ts';

export interface EnforcerOptions {
  control: Control;
  containers: Containers;
  pods: Pods;
  proc: ProcFs;
  /** Only this cgroup and what is below it is acted on; the whole node when undefined. */
  scope: CgroupKey | undefined;
  log: Log;
}

/** Rules that the kernel acts on by itself. */
const KERNEL_RULES = ['miner-name', 'pool-address', 'pool-protocol'];

const ACT = POLICY.kill | POLICY.refuse | POLICY.drop;

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
  #mode: EnforceMode = 'detect';
  #exempts: RuntimePolicy['exempts'] = () => false;

  constructor(options: EnforcerOptions) {
    this.#options = options;
    this.#lists = new KernelLists(options.control);
  }

  /** What holds from now on. */
  apply(policy: RuntimePolicy): void {
    this.#exempts = policy.exempts;
    this.#lists.set(policy.indicators);
    this.#setMode(policy.mode);
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

  contain(quarantine: Quarantine): void {
    this.#quarantines.set(quarantine.metadata.name ?? '', quarantine);
    this.#reconcile();
  }

  release(name: string): void {
    this.#quarantines.delete(name);
    this.#reconcile();
  }

  /** Whether user space is to kill `process` for these findings, which are about nobody else. */
  mustDie(process: Process, findings: readonly Finding[]): boolean {
    if (this.#mode !== 'enforce' || process.pid <= 1 || process.pid === globalThis.process.pid) return false;
    const pod = this.#options.containers.pod(process.container);
    const counting = pod ? findings.filter(({ rule }) => !this.#exempts(rule, pod)) : findings;
    return judgementOf(counting).score >= CONCLUSIVE && !(pod && isProtected(pod));
  }

  /** False when it was gone already. The start time is compared first, so that the pid is still the process. */
  kill({ pid, start }: Process): boolean {
    if (!this.#options.proc.is(pid, ticksOf(start))) return false;
    try {
      return process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
      throw error;
    }
  }

  #setMode(mode: EnforceMode): void {
    if (mode === this.#mode) return;
    const { control, scope, log } = this.#options;
    const policy = mode === 'enforce' ? ACT : 0;
    if (scope) control.setCgroup(scope, policy);
    else control.setEverywhere(policy);
    this.#mode = mode;
    log.info({ mode }, 'enforcement changed');
  }

  #reconcile(): void {
    this.podsChanged(this.#cgroups.keys());
  }

  #policyOf(pod: PodInfo): number {
    const contained = [...this.#quarantines.values()].some(({ spec }) => covers(spec, pod));
    // The kernel cannot tell rules apart: a pod that may run what it lists is left to user space. Containment stays.
    const spared = isProtected(pod) || (!contained && KERNEL_RULES.some((rule) => this.#exempts(rule, pod)));
    return (contained ? POLICY.quarantined : 0) | (spared ? POLICY.protected : 0);
  }

  #write(key: CgroupKey, policy: number): void {
    const name = `${key.version ?? 2}:${key.id}`;
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

function sameKey(a: CgroupKey, b: CgroupKey): boolean {
  return a.id === b.id && (a.version ?? 2) === (b.version ?? 2);
}
