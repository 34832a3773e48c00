import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { CpuMounts } from './cpu-accounting.ts';
import type { Forgetful, Gone } from './departures.ts';

/** More cgroups than any node has; a path that fell out is read again from /proc. */
const LIMIT = 65_536;

/** Cgroups that were removed, of which events may still be under way: so many at most. */
const REMOVED = 1024;

/** A mounted hierarchy of cgroups. */
export interface Hierarchy {
  /** Mount point. */
  root: string;
  /** As /proc/<pid>/cgroup numbers it; 0 is v2. */
  id: number;
}

/** v1 controllers whose hierarchy can tell containers apart; any will do, and every node with v1 has one. */
const V1_CONTROLLERS = ['memory', 'pids', 'cpu'] as const;
type V1Controller = (typeof V1_CONTROLLERS)[number];

export interface Hierarchies {
  /** Undefined on nodes that have v1 alone. */
  v2: Hierarchy | undefined;
  /** Undefined on nodes that have v2 alone. */
  v1: (Hierarchy & { controller: V1Controller }) | undefined;
  /** Where CPU time is kept. */
  cpu: CpuMounts;
  /** Where v1 freezes cgroups; undefined where it does not. */
  freezer: string | undefined;
}

/**
 * Finds what is mounted. `root`, when given, is where the node's /sys/fs/cgroup is seen from here: on nodes with v2
 * alone the hierarchy itself, otherwise the folder that holds them.
 */
export function findHierarchies(procRoot: string, root?: string): Hierarchies {
  const ids = new Map<string, number>();
  for (const line of readFileSync(`${procRoot}/self/cgroup`, 'utf8').split('\n')) {
    const [id, controllers] = line.split(':');
    for (const controller of controllers?.split(',') ?? []) ids.set(controller, Number(id));
  }
  const mounts = readFileSync(`${procRoot}/self/mountinfo`, 'utf8').split('\n').map(parseMount);
  const at = (isIt: (mount: Mount) => boolean) =>
    mounts.findLast((mount) => mount && isIt(mount) && (root === undefined || isBelow(root, mount.point)))
      ?.point;
  const v2 = at(({ type }) => type === 'cgroup2');
  const controller = V1_CONTROLLERS.find((name) => (ids.get(name) ?? 0) > 0);
  const legacy = (name: string) => at(({ type, options }) => type === 'cgroup' && options.includes(name));
  const v1 = controller && legacy(controller);
  return {
    v2: v2 === undefined ? undefined : { root: v2, id: 0 },
    v1: controller && v1 !== undefined ? { root: v1, id: ids.get(controller) ?? 0, controller } : undefined,
    cpu: { v2, cpuacct: legacy('cpuacct'), cpu: legacy('cpu') },
    freezer: legacy('freezer'),
  };
}

interface Mount {
  point: string;
  type: string;
  options: string[];
}

/** One line of /proc/<pid>/mountinfo (proc_pid_mountinfo(5)). */
function parseMount(line: string): Mount | undefined {
  const [fields, source] = line.split(' - ');
  const point = fields?.split(' ')[4];
  const [type, , options] = source?.split(' ') ?? [];
  return point && type ? { point, type, options: options?.split(',') ?? [] } : undefined;
}

function isBelow(root: string, point: string): boolean {
  const folder = root.replace(/\/+$/, '');
  return point === folder || point.startsWith(`${folder}/`);
}

/**
 * Paths of cgroups by their id, which is what the kernel puts into events. Ids are inode numbers of cgroupfs; they
 * are never given twice while the machine runs.
 */
export class CgroupTree implements Forgetful {
  readonly hierarchy: Hierarchy;
  /** In the order in which they were made. */
  readonly #paths = new Map<number, string>();
  readonly #removed = new LRUCache<number, string>({ max: REMOVED });

  /** Reads what is there; events keep it up to date. */
  constructor(hierarchy: Hierarchy) {
    this.hierarchy = hierarchy;
    this.#scan('/');
  }

  /** Path below the root of the hierarchy, beginning with a slash; also of one that was just removed. */
  path(id: number): string | undefined {
    return this.#paths.get(id) ?? this.#removed.get(id);
  }

  add(id: number, path: string): void {
    this.#paths.set(id, path);
    const [oldest] = this.#paths.size > LIMIT ? this.#paths.keys() : [];
    if (oldest !== undefined) this.#paths.delete(oldest);
  }

  remove(id: number): void {
    const path = this.#paths.get(id);
    if (path === undefined) return;
    this.#paths.delete(id);
    this.#removed.set(id, path);
  }

  /** Of one that was removed. */
  forget({ id, version }: Gone): void {
    if ((version === 2) === (this.hierarchy.id === 0)) this.#removed.delete(id);
  }

  /** Undefined when there is no such cgroup. */
  idOf(path: string): number | undefined {
    return statSync(join(this.hierarchy.root, path), { throwIfNoEntry: false })?.ino;
  }

  /** Those that exist. */
  entries(): Iterable<[id: number, path: string]> {
    return this.#paths.entries();
  }

  /** Processes in the cgroup itself, without its children. */
  pids(path: string): number[] {
    const file = join(this.hierarchy.root, path, 'cgroup.procs');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number) : [];
  }

  #scan(path: string): void {
    const folder = join(this.hierarchy.root, path);
    const id = statSync(folder, { throwIfNoEntry: false })?.ino;
    if (id === undefined) return;
    this.add(id, path);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) this.#scan(join(path, entry.name));
    }
  }
}
