import { LRUCache } from 'lru-cache';
import type { Ancestor } from '../api/detection.ts';
import type { EventView } from '../bpf/event-view.ts';
import { type Container, type Containers, HOST } from './containers.ts';
import type { Image, Images } from './image.ts';
import { type ProcFs, TICKS_PER_SECOND } from './proc-fs.ts';

/** One process between two execs. `pid` and `start` name the process itself. */
export interface Process {
  readonly pid: number;
  /** Nanoseconds after boot. */
  readonly start: number;
  readonly uid: number;
  readonly image: Image;
  readonly container: Container;
  /** As it was when it made this one. */
  readonly parent: Process | undefined;
}

/** A node runs fewer processes than this; when it does not, those that were quiet longest are looked up again. */
const LIMIT = 65_536;

/** Events may come a little late; until then a process that ended is still known. */
const GRACE_NS = 10e9;

const ANCESTORS = 32;
const ARGUMENTS = 256;
const ARGUMENT_LENGTH = 1024;
/** All arguments together: of the process, and of each of its ancestors. */
const ARGUMENTS_LENGTH = 16 * 1024;
const ANCESTOR_LENGTH = 1024;

/** The processes of the node, kept up to date by exec, fork and exit events; /proc answers for those it missed. */
export class Processes {
  readonly #byPid = new LRUCache<number, Process>({ max: LIMIT });
  readonly #ended: { process: Process; at: number }[] = [];
  readonly #proc: ProcFs;
  readonly #images: Images;
  readonly #containers: Containers;

  constructor(proc: ProcFs, images: Images, containers: Containers) {
    this.#proc = proc;
    this.#images = images;
    this.#containers = containers;
  }

  get size(): number {
    return this.#byPid.size;
  }

  executed(event: EventView): Process {
    const { tgid: pid, startTime: start, uid } = event;
    const before = this.#known(pid, start);
    return this.#remember({
      pid,
      start,
      uid,
      image: this.#images.executed(event),
      container: this.#containers.of(event.cgroupId, event.cgroupV1Id, pid),
      parent: before ? before.parent : this.#parentOf(event),
    });
  }

  /** What a process was not allowed to become: below it, and not remembered. Undefined when nobody knows it. */
  refused(event: EventView): Process | undefined {
    const parent = this.of(event);
    if (!parent) return undefined;
    const { filename, execFlags: flags, inode, device } = event;
    const exe = this.#proc.absolute(parent.pid, filename);
    const comm = filename.slice(filename.lastIndexOf('/') + 1).slice(0, 15);
    const image = { exe, filename, argv: [filename], comm, flags, inode: Number(inode), device };
    return { ...parent, image, parent };
  }

  forked(event: EventView): void {
    const parent = this.#parentOf(event);
    // Without a parent nothing is known about the child either; it is looked up when it matters.
    if (!parent) return;
    const { tgid: pid, startTime: start, uid } = event;
    const container = this.#containers.of(event.cgroupId, event.cgroupV1Id, pid);
    this.#remember({ pid, start, uid, image: parent.image, container, parent: shallow(parent) });
  }

  exited(event: EventView): void {
    const process = this.#known(event.tgid, event.startTime);
    if (process) this.#ended.push({ process, at: event.ktime });
    while (this.#ended[0] && this.#ended[0].at < event.ktime - GRACE_NS) {
      const { process: gone } = this.#ended.shift() as { process: Process };
      if (this.#byPid.peek(gone.pid)?.start === gone.start) this.#byPid.delete(gone.pid);
    }
  }

  /** A process that was there before us, as iter/task shows it. */
  found(event: EventView): Process | undefined {
    const { tgid: pid, startTime: start, uid } = event;
    const image = this.#images.running(pid, event.comm, event.execFlags, Number(event.inode), event.device);
    if (!image) return undefined;
    const container = this.#containers.of(event.cgroupId, event.cgroupV1Id, pid);
    return this.#remember({ pid, start, uid, image, container, parent: this.#parentOf(event) });
  }

  /** Who caused an event; what can no longer be found out about it is left empty. Undefined when the kernel did. */
  of(event: EventView): Process | undefined {
    const { tgid: pid, startTime: start } = event;
    if (pid === 0) return undefined;
    const known = this.#known(pid, start);
    if (known) return known;
    const { uid, comm } = event;
    const image = (this.#isStill(pid, start) ? this.#images.running(pid, comm) : undefined) ?? {
      exe: comm,
      filename: comm,
      argv: [],
      comm,
      flags: 0,
      inode: 0,
      device: 0,
    };
    const container = this.#containers.of(event.cgroupId, event.cgroupV1Id, pid);
    return this.#remember({ pid, start, uid, image, container, parent: this.#parentOf(event) });
  }

  /** A living process by its pid alone. */
  living(pid: number, depth = ANCESTORS): Process | undefined {
    const stat = this.#proc.stat(pid);
    if (!stat) return undefined;
    const known = this.#byPid.get(pid);
    if (known && ticksOf(known.start) === stat.start) return known;
    const image = this.#images.running(pid, stat.comm);
    if (!image) return undefined;
    return this.#remember({
      pid,
      start: (stat.start / TICKS_PER_SECOND) * 1e9,
      uid: this.#proc.uid(pid) ?? 0,
      image,
      container: this.#containers.of(0, 0, pid),
      parent: depth > 0 && stat.parent > 0 ? this.living(stat.parent, depth - 1) : undefined,
    });
  }

  /** The one of these that used most CPU time in its life: in a container that mines, that is soon the miner. */
  busiest(pids: readonly number[]): Process | undefined {
    const used = pids.map((pid) => ({ pid, cpu: this.#proc.stat(pid)?.cpu ?? -1 }));
    const [first] = used.toSorted((a, b) => b.cpu - a.cpu);
    return first && this.living(first.pid);
  }

  /** Parent first, up to the first process of the container; for processes of the node up to init. */
  ancestors(process: Process): Ancestor[] {
    return lineage(process).map(({ pid, image }) => ({
      pid,
      exe: image.exe,
      argv: shownArguments(image.argv, ANCESTOR_LENGTH),
    }));
  }

  #known(pid: number, start: number): Process | undefined {
    const process = this.#byPid.get(pid);
    // What /proc told is exact to a clock tick only.
    return process && ticksOf(process.start) === ticksOf(start) ? process : undefined;
  }

  #parentOf(event: EventView): Process | undefined {
    const { ppid, parentStartTime } = event;
    if (ppid === 0) return undefined;
    return (
      this.#known(ppid, parentStartTime) ??
      (this.#isStill(ppid, parentStartTime) ? this.living(ppid) : undefined)
    );
  }

  #isStill(pid: number, start: number): boolean {
    return this.#proc.is(pid, ticksOf(start));
  }

  #remember(process: Process): Process {
    this.#byPid.set(process.pid, process);
    return process;
  }
}

/** The processes above `process` in its container, parent first. */
export function lineage(process: Process): Process[] {
  const above: Process[] = [];
  for (let next = process.parent; next && above.length < ANCESTORS; next = next.parent) {
    if (process.container !== HOST && next.container !== process.container) break;
    above.push(next);
  }
  return above;
}

/** Clock ticks after boot, as /proc counts. */
export function ticksOf(start: number): number {
  return Math.floor((start / 1e9) * TICKS_PER_SECOND + 1e-6);
}

/** Within what a detection carries. Of many arguments the first and the last are kept: padding is in the middle. */
export function shownArguments(argv: readonly string[], length: number = ARGUMENTS_LENGTH): string[] {
  const half = ARGUMENTS / 2;
  const some = argv.length <= ARGUMENTS ? argv : [...argv.slice(0, half), ...argv.slice(-half)];
  let room = length;
  return some.map((argument) => {
    const shown = argument.slice(0, Math.min(room, ARGUMENT_LENGTH));
    room -= shown.length;
    return shown;
  });
}

/** A chain of daemons that each fork the next must not grow for ever. */
function shallow(process: Process, depth = ANCESTORS): Process {
  if (!process.parent) return process;
  if (depth === 0) return { ...process, parent: undefined };
  const parent = shallow(process.parent, depth - 1);
  return parent === process.parent ? process : { ...process, parent };
}
