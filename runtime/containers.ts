import { LRUCache } from 'lru-cache';
import type { DetectedContainer } from '../api/detection.ts';
import { type CgroupIdentity, cgroupPathOf, parseCgroupPath } from './cgroup-path.ts';
import type { CgroupTree } from './cgroup-tree.ts';
import type { PodInfo, Pods } from './pods.ts';
import type { ProcFs } from './proc-fs.ts';

/** The container, pod or plain cgroup that a process belongs to. One object for each while it is known. */
export interface Container {
  /** Path of its cgroup, or / for processes of the node. */
  readonly cgroup: string;
  /** Undefined for processes of the node. */
  readonly identity: CgroupIdentity | undefined;
}

const LIMIT = 16_384;

/** Processes of the node itself belong here. */
export const HOST: Container = { cgroup: '/', identity: undefined };

/** Finds the container of a process by its cgroup, and what the cluster says about it. */
export class Containers {
  readonly #tree: CgroupTree;
  readonly #pods: Pods;
  readonly #proc: ProcFs;
  readonly #byCgroup = new LRUCache<number, Container>({ max: LIMIT });
  readonly #byPath = new LRUCache<string, Container>({ max: LIMIT });

  constructor(tree: CgroupTree, pods: Pods, proc: ProcFs) {
    this.#tree = tree;
    this.#pods = pods;
    this.#proc = proc;
  }

  /**
   * The container of process `pid`, which is in v2 cgroup `cgroupId`. On nodes whose containers are in v1 every
   * process has the root's id; then /proc/<pid>/cgroup tells.
   */
  of(cgroupId: number, pid: number): Container {
    const known = this.#byCgroup.get(cgroupId);
    if (known !== undefined) return known;
    const path = this.#tree.path(cgroupId);
    if (path !== undefined && path !== '/') return this.#remember(cgroupId, path);
    const lines = this.#proc.cgroup(pid);
    if (lines === undefined) return HOST;
    const read = cgroupPathOf(lines);
    // The root is everybody's on v1, so its id is never remembered.
    return path === '/' || read === '/' ? this.at(read) : this.#remember(cgroupId, read);
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
    const known = identity.containerId === null ? undefined : pod?.containers.get(identity.containerId);
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

  #remember(cgroupId: number, path: string): Container {
    const container = this.at(path);
    this.#byCgroup.set(cgroupId, container);
    return container;
  }
}
