import { LRUCache } from 'lru-cache';
import type { EventView } from '../bpf/event-view.ts';
import { EXEC_FLAG } from '../bpf/events.ts';
import type { ProcFs } from './proc-fs.ts';

/** What a process runs since its last exec. Processes that run the same share one object. */
export interface Image {
  /** Path of the binary as the process saw it, symbolic links resolved. */
  readonly exe: string;
  /** What was given to execve: a script, a symbolic link, a relative path, or the same as `exe`. */
  readonly filename: string;
  /** All of them, also where the kernel's event had no room. */
  readonly argv: readonly string[];
  readonly comm: string;
  /** Bits of EXEC_FLAG. */
  readonly flags: number;
  readonly inode: number;
  readonly device: number;
  /** Which content its file had; undefined while nobody can tell, as that was changed a moment before. */
  readonly content?: string | undefined;
  /** When its file was changed last, milliseconds since 1970; undefined for what ran before us. */
  readonly changed?: number | undefined;
}

/** Clocks of file systems tick this seldom at most, and ours is not theirs: milliseconds. */
const SETTLED_MS = 2000;

const LIMIT = 1024;

/** Files of which the content was named lately. */
const FILES = 256;
const DELETED = ' (deleted)';

/** Of arguments longer than this together, which no default limit of the stack allows, the first and the last are kept. */
const ARGUMENT_BYTES = 2 * 1024 * 1024;

/** An image, and whether the path of its binary is what its link said or only what was given to execve. */
interface Known {
  image: Image;
  isResolved: boolean;
}

/** Turns exec events into images, each made once however often it is executed. */
export class Images {
  readonly #proc: ProcFs;
  readonly #known = new LRUCache<string | number, Known>({ max: LIMIT });
  /** By inode. Thousands of images may be of one file, and share the name of its content. */
  readonly #contents = new LRUCache<bigint, { device: number; changed: number; name: string }>({
    max: FILES,
  });

  constructor(proc: ProcFs) {
    this.#proc = proc;
  }

  /** Of an exec event that happened at `time`, milliseconds since 1970. Nothing is read of one that is known. */
  executed(event: EventView, time: number): Image {
    const { fingerprintKey } = event;
    const known = fingerprintKey === 0 ? undefined : this.#known.get(fingerprintKey);
    if (known?.isResolved) return known.image;
    const { filename, inode, device, comm, execFlags } = event;
    const { argv, flags } = this.#argumentsOf(event, execFlags & ~EXEC_FLAG.known);
    const key = fingerprintKey || `${device}:${inode}:${flags}\0${comm}\0${filename}\0${argv.join('\0')}`;
    const before = this.#known.get(key);
    if (before?.isResolved) return before.image;
    const exe = this.#linkOf(event);
    // A process that is gone has no link any more; the next one with the same file may tell.
    if (exe === undefined && before) return before.image;
    const { changed } = event;
    const file = { inode: Number(inode), device, content: this.#contentOf(event, time), changed };
    const image = { exe: exe ?? filename, filename, argv, comm, flags, ...file };
    this.#known.set(key, { image, isResolved: exe !== undefined });
    return image;
  }

  /** What the kernel executed, until the file is written again. */
  #contentOf({ inode, device, changed }: EventView, time: number): string | undefined {
    if (time - changed <= SETTLED_MS) return undefined;
    const known = this.#contents.get(inode);
    if (known?.device === device && known.changed === changed) return known.name;
    const name = `${device}:${inode}:${changed}`;
    this.#contents.set(inode, { device, changed, name });
    return name;
  }

  /** All arguments: where the event had no room for them, those that /proc still has. */
  #argumentsOf(event: EventView, flags: number): Pick<Image, 'argv' | 'flags'> {
    const { argv, tgid } = event;
    const incomplete = EXEC_FLAG.argsTruncated | EXEC_FLAG.argsUnreadable;
    const complete = flags & incomplete ? this.#proc.argv(tgid) : undefined;
    if (complete === undefined) return { argv, flags };
    const isOfThis =
      argv.length === 0 ? this.#stillRuns(event, this.#proc.exeInode(tgid)) : completes(complete, argv);
    if (!isOfThis) return { argv, flags };
    const kept = bounded(complete);
    return { argv: kept, flags: kept.length < complete.length ? flags : flags & ~incomplete };
  }

  /** The path of what an event executed; undefined when the process is gone or runs something else by now. */
  #linkOf(event: EventView): string | undefined {
    const { tgid } = event;
    const inode = this.#proc.exeInode(tgid);
    if (inode === undefined || !this.#stillRuns(event, inode)) return undefined;
    const link = this.#proc.exe(tgid);
    return link?.endsWith(DELETED) ? link.slice(0, -DELETED.length) : link;
  }

  /**
   * Whether the process has executed nothing else since. The name stands in for the inode, since the file systems that
   * are laid over others show another number to stat(2) than inside the kernel.
   */
  #stillRuns({ tgid, inode, comm }: EventView, found: number | undefined): boolean {
    return found === Number(inode) || this.#proc.stat(tgid)?.comm === comm;
  }

  /** Of a process that runs already. */
  running(pid: number, comm: string, flags = 0, inode = 0, device = 0): Image | undefined {
    const argv = this.#proc.argv(pid);
    if (argv === undefined) return undefined;
    const link = this.#proc.exe(pid);
    if (link === undefined) return { exe: comm, filename: comm, argv: [], comm, flags, inode, device };
    const deleted = link.endsWith(DELETED);
    const exe = deleted ? link.slice(0, -DELETED.length) : link;
    return {
      exe,
      filename: exe,
      argv: bounded(argv),
      comm,
      flags: flags | (deleted && inode === 0 ? EXEC_FLAG.deleted : 0),
      inode,
      device,
    };
  }
}

/**
 * Whether these are the arguments of which the kernel handed up the first and the last, cut where they meet. A process
 * may have executed something else since, or have changed them to hide the others.
 */
function completes(all: readonly string[], some: readonly string[]): boolean {
  let first = 0;
  while (first < some.length && some[first] === all[first]) first++;
  let last = 0;
  while (last < some.length - first && some.at(-1 - last) === all.at(-1 - last)) last++;
  return first + last >= some.length - 2;
}

/** All of them, or as many from either end as fit into half of the bound. */
function bounded(argv: string[]): string[] {
  const bytes = argv.reduce((sum, argument) => sum + argument.length, 0);
  if (bytes <= ARGUMENT_BYTES) return argv;
  const first = fitting(argv);
  const last = fitting(argv.slice(first).toReversed());
  return [...argv.slice(0, first), ...argv.slice(argv.length - last)];
}

/** How many of the first fit. */
function fitting(argv: readonly string[]): number {
  let bytes = 0;
  const end = argv.findIndex((argument) => {
    bytes += argument.length;
    return bytes > ARGUMENT_BYTES / 2;
  });
  return end < 0 ? argv.length : end;
}
