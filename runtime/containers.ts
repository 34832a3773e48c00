import { LRUCache } from 'lru-cache';
import type { DetectedContainer } from '../api/detection.ts';
import { type CgroupIdentity, cgroupPathOf, namesContainer, parseCgroupPath } from './cgroup-path.ts';
import type { CgroupTree } from './cgroup-tree.ts';
import type { Forgetful, Gone } from './departures.ts';
import type { PodInfo, Pods } from './pods.ts';
import type { ProcFs } from './proc-fs.ts';

/** The container, pod or plain cgroup that a process belongs to. One object for each while it is known. */
export interface Container {
  /** Path of its cgroup, or / for processes of the node. */
  readonly cgroup: string;
  /** Undefined for processes of the node. */
  readonly identity: CgroupIdentity | undefined;
}

export interface ContainersOptions {
  v2: CgroupTree | undefined;
  v1: CgroupTree | undefined;
  pods: Pods;
  proc: ProcFs;
}

const LIMIT = 4096;

/** Processes of the node itself belong here. */
export const HOST: Container = { cgroup: '/', identity: undefined };

/** Finds the container of a process by its cgroup, and what the cluster says about it. */
export class Containers implements Forgetful {
  readonly #v2: CgroupTree | undefined;
  readonly #v1: CgroupTree | undefined;
  readonly #pods: Pods;
  readonly #proc: ProcFs;
  readonly #byV2 = new LRUCache<number, Container>({ max: LIMIT });
  readonly #byV1 = new LRUCache<number, Container>({ max: LIMIT });
  readonly #byPath = new LRUCache<string, Container>({ max: LIMIT });

  constructor({ v2, v1, pods, proc }: ContainersOptions) {
    this.#v2 = v2;
    this.#v1 = v1;
    this.#pods = pods;
    this.#proc = proc;
  }

  /**
   * The container of process `pid`, which is in v2 cgroup `id` and, on nodes that have one, in cgroup `v1Id` of the
   * v1 hierarchy. Where no event told the path yet, /proc/<pid>/cgroup does.
   */
  of(id: number, v1Id: number, pid: number): Container {
    const found = this.#byId(this.#byV2, this.#v2, id) ?? this.#byId(this.#byV1, this.#v1, v1Id);
    if (found) return found;
    const isAtTheRoot = this.#v2?.path(id) === '/' && (!this.#v1 || this.#v1.path(v1Id) === '/');
    return isAtTheRoot ? HOST : this.#read(pid);
  }

  /** The container at a cgroup path. */
  at(path: string): Container {
    const identity = parseCgroupPath(path);
    if (identity === undefined) return HOST;
    const known = this.#byPath.get(identity.path);
    if (known !== undefined) return known;
    const container: Container = { cgroup: identity.path, identity };
    this.#byPath.set(identity.path, container);
    return container;
  }

  /** What the cluster knows about the pod of `container`. */
  pod({ identity }: Container): PodInfo | undefined {
    return identity?.podUid == null ? undefined : this.#pods.get(identity.podUid);
  }

  /** As a detection carries it; what is not known is null. Null for processes of the node. */
  describe(container: Container): DetectedContainer | null {
    const { identity } = container;
    if (identity === undefined) return null;
    const pod = this.pod(container);
    const known =
      identity.containerId === null ? undefined : (pod?.containers.get(identity.containerId) ?? pod?.only);
    return {
      id: identity.containerId,
      cgroup: container.cgroup,
      podUid: identity.podUid,
      name: known?.name ?? null,
      namespace: pod?.namespace ?? null,
      pod: pod?.name ?? null,
      workload: pod?.workload ?? null,
      image: known?.image || null,
    };
  }

  forget({ id, version, path }: Gone, isGone: boolean): void {
    (version === 2 ? this.#byV2 : this.#byV1).delete(id);
    if (isGone) this.#byPath.delete(path);
  }

  /** Undefined when the path is not known, or is the root: that is where v1 containers are in v2. */
  #byId(known: LRUCache<number, Container>, tree: CgroupTree | undefined, id: number): Container | undefined {
    const container = known.get(id);
    if (container !== undefined) return container;
    const path = tree?.path(id);
    if (path === undefined || path === '/') return undefined;
    // In v1 only pods and containers count: services and sessions have folders in some of its hierarchies.
    if (tree === this.#v1 && !namesContainer(path)) return undefined;
    const found = this.at(path);
    known.set(id, found);
    return found;
  }

  #read(pid: number): Container {
    const lines = this.#proc.cgroup(pid);
    return lines === undefined ? HOST : this.at(cgroupPathOf(lines));
  }
}
