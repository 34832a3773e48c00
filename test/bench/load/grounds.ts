import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findHierarchies } from '../../../runtime/cgroup-tree.ts';

/** How long a process that ends before its time waits for those that it killed. */
const ROUND_MS = 5;
const ROUNDS = 1000;

/** A scratch folder and a cgroup of its own; closing it leaves neither. */
export class Grounds implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'kubesentry-bench-'));
  /** Path of the cgroup below the root of its hierarchy, and its folder. */
  readonly path = `/kubesentry-bench-${process.pid}`;
  readonly cgroup = join(findHierarchies('/proc').v2?.root ?? '', this.path);

  readonly #onExit = () => this.#leaveAtOnce();

  constructor() {
    mkdirSync(this.cgroup);
    process.once('exit', this.#onExit);
  }

  /** A cgroup below it, as the kubelet names that of a pod's container. */
  container(podUid: string, id: string): string {
    return this.child(`kubepods/besteffort/pod${podUid}/${id}`);
  }

  child(name: string): string {
    const folder = join(this.cgroup, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Removes a cgroup with all below it, killing who is still in there. */
  async remove(cgroup: string): Promise<void> {
    for (const entry of readdirSync(cgroup, { withFileTypes: true })) {
      if (entry.isDirectory()) await this.remove(join(cgroup, entry.name));
    }
    const pids = () => readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
    for (const pid of pids()) killNow(Number(pid));
    while (pids().length > 0) await pause(5);
    rmdirSync(cgroup);
  }

  /** The process ends before its time: nobody waits for anything any more. */
  #leaveAtOnce(): void {
    const { v2, cpu } = findHierarchies('/proc');
    const roots = [v2?.root, cpu.cpu, cpu.cpuacct].filter((root) => root !== undefined);
    for (const root of new Set(roots)) {
      if (existsSync(join(root, this.path))) removeNow(join(root, this.path));
    }
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
    for (const mount of mounts.map((line) => line.split(' ')[1] ?? '')) {
      if (mount.startsWith(this.folder)) execFileSync('umount', ['--lazy', mount]);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#onExit);
    await this.remove(this.cgroup);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function removeNow(cgroup: string): void {
  for (const entry of readdirSync(cgroup, { withFileTypes: true })) {
    if (entry.isDirectory()) removeNow(join(cgroup, entry.name));
  }
  // Who is killed may just have started another; and nothing else runs in here while the process exits.
  for (let round = 0; round < ROUNDS; round++) {
    const pids = readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
    if (pids.length === 0) break;
    for (const pid of pids) killNow(Number(pid));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ROUND_MS);
  }
  rmdirSync(cgroup);
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
