import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import type { ProcFs } from './proc-fs.ts';

export interface BinaryOptions {
  proc: ProcFs;
  /** Larger binaries are not read: 512 MiB by default. */
  sizeLimit?: number;
  /** Hashed at the same time. */
  concurrency?: number;
}

export interface BinaryStats {
  hashed: number;
  cached: number;
  /** Gone, too large or unreadable. */
  missed: number;
}

/** Where the binary of a process can be read while, and shortly after, it runs. */
export interface BinaryPlace {
  pid: number;
  /** Clock ticks after boot, as in ProcStat. */
  start: number;
  /** Path as the process saw it, or as it was given, perhaps relative. */
  exe: string;
  /** What the kernel executed: another file at the same path is another binary. 0: not known. */
  inode: number;
  device: number;
  /** Processes that may see the file at the same path, for when this one is gone. */
  neighbours: readonly number[];
}

/** Magic number of overlayfs (statfs(2)). */
const OVERLAYFS = 0x794c7630;

const CHUNK = 256 * 1024;
const WAITING = 1024;

/**
 * SHA-256 of what processes run, read through /proc/<pid>/exe: that link leads to the very file, even when it was
 * deleted, lives in memory or in another mount namespace. Once the process is gone, the path below the root of a
 * neighbour is tried, and counts only if it is the file that ran.
 */
export class Binaries {
  readonly stats: BinaryStats = { hashed: 0, cached: 0, missed: 0 };
  readonly #proc: ProcFs;
  readonly #sizeLimit: number;
  readonly #concurrency: number;
  readonly #known = new LRUCache<string, string>({ max: 4096 });
  readonly #underWay = new Map<string, Promise<string>>();
  readonly #waiting: (() => void)[] = [];
  #active = 0;

  constructor({ proc, sizeLimit = 512 * 1024 * 1024, concurrency = 2 }: BinaryOptions) {
    this.#proc = proc;
    this.#sizeLimit = sizeLimit;
    this.#concurrency = concurrency;
  }

  /** Lower-case hex, or null when the binary cannot be read any more. Never rejects. */
  async sha256(place: BinaryPlace): Promise<string | null> {
    if (this.#waiting.length >= WAITING) {
      this.stats.missed++;
      return null;
    }
    if (this.#active >= this.#concurrency) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#active++;
    try {
      const file = await this.#open(place);
      if (file === undefined) {
        this.stats.missed++;
        return null;
      }
      return await this.#hash(file).finally(() => file.close());
    } catch {
      // The file system of a dying container fails in many ways; all mean the same: it cannot be read.
      this.stats.missed++;
      return null;
    } finally {
      this.#active--;
      this.#waiting.shift()?.();
    }
  }

  async #open(place: BinaryPlace): Promise<FileHandle | undefined> {
    const { pid, start, exe, inode, device, neighbours } = place;
    const own = await openFile(`${this.#proc.root}/${pid}/exe`, 0);
    if (own !== undefined) {
      // The pid may have been given to another process, which the start time tells.
      if (this.#proc.is(pid, start) && (await this.#isExecuted(own, place))) return own;
      await own.close();
    }
    const seen = exe.startsWith('/') ? `root${exe}` : `cwd/${exe}`;
    for (const neighbour of neighbours) {
      const file = await openFile(`${this.#proc.root}/${neighbour}/${seen}`, constants.O_NOFOLLOW);
      if (file === undefined) continue;
      const { ino, dev } = await file.stat();
      if (ino === inode && dev === device) return file;
      await file.close();
    }
    return undefined;
  }

  /** Whether an open file is the one that the kernel executed, and not that of the program that came next. */
  async #isExecuted(file: FileHandle, { pid, exe, inode }: BinaryPlace): Promise<boolean> {
    if (inode === 0 || (await file.stat()).ino === inode) return true;
    const { type } = await statfs(`/proc/self/fd/${file.fd}`);
    if (type !== OVERLAYFS) return false;
    // Overlayfs may tell stat(2) the number of the layer's file; maps has the kernel's own, from 6.8 on.
    return this.#proc.mappedInode(pid) === inode || this.#proc.exe(pid)?.replace(/ \(deleted\)$/, '') === exe;
  }

  async #hash(file: FileHandle): Promise<string | null> {
    const { dev, ino, size, mtimeNs, ctimeNs, mode } = await file.stat({ bigint: true });
    if ((Number(mode) & constants.S_IFMT) !== constants.S_IFREG || size > this.#sizeLimit) {
      this.stats.missed++;
      return null;
    }
    // The change time is in the key because a process may set the modification time at will.
    const key = `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.stats.cached++;
      return known;
    }
    const sha256 = this.#underWay.get(key) ?? digest(file);
    this.#underWay.set(key, sha256);
    try {
      this.#known.set(key, await sha256);
      this.stats.hashed++;
      return await sha256;
    } finally {
      this.#underWay.delete(key);
    }
  }
}

async function openFile(path: string, flags: number): Promise<FileHandle | undefined> {
  try {
    // Without O_NONBLOCK a named pipe at that path would hold us up for ever.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  } catch {
    return undefined;
  }
}

async function digest(file: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK);
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK, position);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(chunk.subarray(0, bytesRead));
    position += bytesRead;
  }
}
