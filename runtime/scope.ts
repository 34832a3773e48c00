import { LRUCache } from 'lru-cache';
import { KubesentryError } from '../api/errors.ts';
import type { EventView } from '../bpf/event-view.ts';
import type { CgroupTree } from './cgroup-tree.ts';
import type { Forgetful, Gone } from './departures.ts';

/** Which processes are watched: all of the node, or those of one cgroup and everything below it. */
export class Scope implements Forgetful {
  /** Path below the root of the hierarchy; undefined for the whole node. */
  readonly path: string | undefined;
  /** Id of that cgroup. */
  readonly id: number | undefined;
  readonly #tree: CgroupTree | undefined;
  readonly #known = new LRUCache<number, boolean>({ max: 4096 });

  /** `cgroup` is a path in the hierarchy or in the file system. Raises USAGE when there is no such cgroup. */
  constructor(tree: CgroupTree | undefined, cgroup: string | undefined) {
    this.#tree = tree;
    if (cgroup === undefined) return;
    const root = tree?.hierarchy.root ?? '';
    const path =
      root !== '' && cgroup.startsWith(`${root}/`)
        ? cgroup.slice(root.length)
        : `/${cgroup.replace(/^\/+/, '')}`;
    this.path = path.replace(/\/+$/, '') || '/';
    this.id = tree?.idOf(this.path);
    if (this.id === undefined)
      throw new KubesentryError('USAGE', `There is no cgroup ${this.path} below ${root || '/'}.`);
  }

  has(event: EventView): boolean {
    if (this.path === undefined || this.path === '/') return true;
    const id = this.#tree?.hierarchy.id === 0 ? event.cgroupId : event.cgroupV1Id;
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const path = this.#tree?.path(id);
    if (path === undefined) return false;
    const isIn = isWithin(this.path, path);
    this.#known.set(id, isIn);
    return isIn;
  }

  forget({ id }: Gone): void {
    this.#known.delete(id);
  }
}

/** Whether cgroup `path` is `scope` or below it; everything is in an undefined scope. */
export function isWithin(scope: string | undefined, path: string): boolean {
  return scope === undefined || scope === '/' || path === scope || path.startsWith(`${scope}/`);
}
