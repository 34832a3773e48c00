import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';

/** More cgroups than any node has; a path that fell out is read again from /proc. */
const LIMIT = 65_536;

/** Where the cgroup v2 hierarchy is mounted; undefined on nodes that have only v1. */
export function findCgroup2(procRoot: string): string | undefined {
  for (const line of readFileSync(`${procRoot}/self/mountinfo`, 'utf8').split('\n')) {
    const [fields, source] = line.split(' - ');
    if (source?.startsWith('cgroup2 ')) return fields?.split(' ')[4];
  }
  return undefined;
}

/**
 * Paths of cgroups by their id in the v2 hierarchy, which is what the kernel puts into events. Ids are inode
 * numbers of cgroupfs; they are never given twice while the machine runs.
 */
export class CgroupTree {
  /** Folder of the v2 hierarchy; undefined when there is none. */
  readonly root: string | undefined;
  readonly #paths = new LRUCache<number, string>({ max: LIMIT });

  constructor(root: string | undefined) {
    this.root = root;
    if (root !== undefined) this.#scan(root, '/');
  }

  /** Path below the root of the hierarchy, beginning with a slash. */
  path(id: number): string | undefined {
    return this.#paths.get(id);
  }

  add(id: number, path: string): void {
    this.#paths.set(id, path);
  }

  delete(id: number): void {
    this.#paths.delete(id);
  }

  /** Undefined when there is no such cgroup. */
  idOf(path: string): number | undefined {
    if (this.root === undefined) return undefined;
    return statSync(join(this.root, path), { throwIfNoEntry: false })?.ino;
  }

  /** Every known cgroup. */
  entries(): Iterable<[id: number, path: string]> {
    return this.#paths.entries();
  }

  /** Processes in the cgroup itself, without its children. */
  pids(path: string): number[] {
    if (this.root === undefined) return [];
    const file = join(this.root, path, 'cgroup.procs');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number) : [];
  }

  #scan(folder: string, path: string): void {
    const id = statSync(folder, { throwIfNoEntry: false })?.ino;
    if (id === undefined) return;
    this.#paths.set(id, path);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory())
        this.#scan(join(folder, entry.name), path === '/' ? `/${entry.name}` : `${path}/${entry.name}`);
    }
  }
}
