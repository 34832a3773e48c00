import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Clock ticks a second in /proc, on every architecture that Linux has now (USER_HZ). */
export const TICKS_PER_SECOND = 100;

/** What /proc/<pid>/stat says (proc_pid_stat(5)). */
export interface ProcStat {
  comm: string;
  parent: number;
  /** Clock ticks after boot; with the pid it names one process for ever. */
  start: number;
  /** Clock ticks of CPU time, user and system. */
  cpu: number;
}

/**
 * The processes of a machine as /proc shows them, mounted at `root`. A process may end at any moment: every
 * look answers undefined when it is gone.
 */
export class ProcFs {
  readonly root: string;

  constructor(root = '/proc') {
    this.root = root;
  }

  pids(): number[] {
    return readdirSync(this.root).map(Number).filter(Number.isInteger);
  }

  stat(pid: number): ProcStat | undefined {
    const text = this.#read(pid, 'stat');
    return text === undefined ? undefined : parseStat(text);
  }

  /** Every argument; empty for kernel threads. */
  argv(pid: number): string[] | undefined {
    const text = this.#read(pid, 'cmdline');
    return text === undefined ? undefined : splitArguments(text);
  }

  /** Path of the binary, with " (deleted)" behind it when it has no name any more (proc_pid_exe(5)). */
  exe(pid: number): string | undefined {
    try {
      return readlinkSync(`${this.root}/${pid}/exe`);
    } catch {
      return undefined;
    }
  }

  /** Number of the namespace that counts the pids of this mount; undefined where nobody may look. */
  get pidNamespace(): number | undefined {
    for (const process of ['1', 'self']) {
      try {
        const link = readlinkSync(`${this.root}/${process}/ns/pid`);
        return Number(/\d+/.exec(link)?.[0]);
      } catch {
        // Some sandboxes guard their first process.
      }
    }
    return undefined;
  }

  /** Bits of our own effective capabilities (capabilities(7)); 0 where nobody tells. */
  get capabilities(): bigint {
    try {
      const status = readFileSync(`${this.root}/self/status`, 'utf8');
      return BigInt(`0x${/^CapEff:\s+([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
    } catch {
      return 0n;
    }
  }

  /** A path as a process sees it, made absolute by its working directory where that is known. */
  absolute(pid: number, path: string): string {
    if (path.startsWith('/')) return path;
    try {
      return join(readlinkSync(`${this.root}/${pid}/cwd`), path);
    } catch {
      return path;
    }
  }

  /** Where a descriptor leads to: a path, or `pipe:[...]` and its kin (proc_pid_fd(5)). */
  descriptor(pid: number, number: number): string | undefined {
    try {
      return readlinkSync(`${this.root}/${pid}/fd/${number}`);
    } catch {
      return undefined;
    }
  }

  /** Number of the binary's inode; undefined when the process is gone or is not ours to look at. */
  exeInode(pid: number): number | undefined {
    try {
      // Most that are asked for are gone already, and an exception costs more than the look.
      return statSync(`${this.root}/${pid}/exe`, { throwIfNoEntry: false })?.ino;
    } catch {
      return undefined;
    }
  }

  /** Number of the first file that is mapped into its memory, which is its binary (proc_pid_maps(5)). */
  mappedInode(pid: number): number | undefined {
    const inode = /^\S+ \S+ \S+ \S+ ([1-9]\d*)/m.exec(this.#read(pid, 'maps') ?? '')?.[1];
    return inode === undefined ? undefined : Number(inode);
  }

  cgroup(pid: number): string | undefined {
    return this.#read(pid, 'cgroup');
  }

  /** Effective user id on the node. */
  uid(pid: number): number | undefined {
    const fields = /^Uid:\s+\d+\s+(\d+)/m.exec(this.#read(pid, 'status') ?? '');
    return fields ? Number(fields[1]) : undefined;
  }

  /** Whether `pid` still is the process that started at `start`. */
  is(pid: number, start: number): boolean {
    return this.stat(pid)?.start === start;
  }

  #read(pid: number, file: string): string | undefined {
    try {
      return readFileSync(`${this.root}/${pid}/${file}`, 'utf8');
    } catch {
      return undefined;
    }
  }
}

/** The name may hold blanks and parentheses, so fields are counted from the last one. */
export function parseStat(text: string): ProcStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const fields = text.slice(close + 2).split(' ');
  const parent = Number(fields[1]);
  const start = Number(fields[19]);
  if (!Number.isInteger(parent) || !Number.isInteger(start)) return undefined;
  return { comm: text.slice(open + 1, close), parent, start, cpu: Number(fields[11]) + Number(fields[12]) };
}

/** Splits NUL-terminated arguments; text behind the last NUL counts, since a process may write there. */
function splitArguments(text: string): string[] {
  const parts = text.split('\0');
  if (parts.at(-1) === '') parts.pop();
  return parts;
}
