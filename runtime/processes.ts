import { LRUCache } from 'lru-cache';
import type { Ancestor } from '../api/detection.ts';
import type { Birth } from '../bpf/births.ts';
import type { EventView } from '../bpf/event-view.ts';
import { baseName } from './base-name.ts';
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

/**
 * Those that were quiet longest are forgotten first, dead or alive; who lives is looked up again. Nobody says when a
 * process ends: what comes late is still known.
 */
const LIMIT = 4096;

const ANCESTORS = 32;
const ARGUMENTS = 256;
const ARGUMENT_LENGTH = 1024;
/** All arguments together: of the process, and of each of its ancestors. */
const ARGUMENTS_LENGTH = 16 * 1024;
const ANCESTOR_LENGTH = 1024;

/** Who made a process that has not executed anything since. */
export type BirthOf = (pid: number, start: number) => Birth | undefined;

/** The processes of the node, kept up to date by exec events; the kernel's births and /proc answer for the others. */
export class Processes {
  readonly #byPid = new LRUCache<number, Process>({ max: LIMIT });
  readonly #proc: ProcFs;
  readonly #images: Images;
  readonly #containers: Containers;
  readonly #birthOf: BirthOf;

  constructor(proc: ProcFs, images: Images, containers: Containers, birthOf: BirthOf) {
    this.#proc = proc;
    this.#images = images;
    this.#containers = containers;
    this.#birthOf = birthOf;
  }

  get size(): number {
    return this.#byPid.size;
  }

  /** `time` is that of the event in milliseconds since 1970. */
  executed(event: EventView, time: number): Process {
    const { tgid: pid, startTime: start, uid } = event;
    const before = this.#known(pid, start);
    return this.#remember({
      pid,
      start,
      uid,
      image: this.#images.executed(event, time),
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
    const comm = baseName(filename).slice(0, 15);
    const image = { exe, filename, argv: [filename], comm, flags, inode: Number(inode), device };
    return { ...parent, image, parent };
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
    const { tgid: pid, startTime: start, uid, comm } = event;
    if (pid === 0) return undefined;
    const known = this.#known(pid, start);
    if (known?.image.comm === comm) return known;
    // Its name has changed, perhaps since it executed something that the kernel only counted.
    const running = this.#isStill(pid, start) ? this.#images.running(pid, comm) : undefined;
    // One that is about to end shows no arguments any more.
    if (known && (!running || running.argv.length === 0 || isSame(known.image, running))) return known;
    const parent = known ? known.parent : this.#parentOf(event);
    const image = running ??
      // Made and not executed: it is what made it.
      (parent?.image.comm === comm ? parent.image : undefined) ?? {
        exe: comm,
        filename: comm,
        argv: [],
        comm,
        flags: 0,
        inode: 0,
        device: 0,
      };
    const container = this.#containers.of(event.cgroupId, event.cgroupV1Id, pid);
    return this.#remember({ pid, start, uid, image, container, parent });
  }

  /** What is known of a process by itself, without a look anywhere. */
  peek({ tgid, startTime }: EventView): Process | undefined {
    return this.#known(tgid, startTime);
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
    const parent = this.#maker(ppid, parentStartTime, ANCESTORS);
    return parent && depthOf(parent) > 2 * ANCESTORS ? shallow(parent) : parent;
  }

  /** One that is gone and was never heard of was like the one that made it. */
  #maker(pid: number, start: number, depth: number): Process | undefined {
    const known = this.#known(pid, start);
    if (known) return known;
    if (this.#isStill(pid, start)) return this.living(pid);
    const birth = depth > 0 ? this.#birthOf(pid, start) : undefined;
    const parent = birth && this.#maker(birth.ppid, birth.parentStartTime, depth - 1);
    return parent && this.#remember({ ...parent, pid, start, parent });
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

function isSame(one: Image, other: Image): boolean {
  return one.exe === other.exe && one.argv.join('\0') === other.argv.join('\0');
}

function depthOf(process: Process): number {
  let depth = 0;
  for (let next = process.parent; next; next = next.parent) depth++;
  return depth;
}

/** A chain of daemons that each fork the next must not grow for ever. */
function shallow(process: Process, depth = ANCESTORS): Process {
  if (!process.parent) return process;
  if (depth === 0) return { ...process, parent: undefined };
  const parent = shallow(process.parent, depth - 1);
  return parent === process.parent ? process : { ...process, parent };
}
