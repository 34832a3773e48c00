import { readdirSync, readFileSync } from 'node:fs';
import { parseStat, TICKS_PER_SECOND } from './proc-fs.ts';

/** More threads than this of one container are not looked at. */
const LIMIT = 2048;

/** How the threads of one container use CPUs, from one look to the next. */
export class ThreadUse {
  readonly #procRoot: string;
  /** Seconds by thread. */
  #before = new Map<string, number>();
  #time: number | undefined;

  constructor(procRoot: string) {
    this.#procRoot = procRoot;
  }

  /**
   * How many threads hardly rested since the look before: for at least `share` of the time they had a CPU or waited for
   * one, as on a node that has too few for all. 0 at the first look. `now` in milliseconds.
   */
  pegged(pids: readonly number[], share: number, now: number): number {
    const used = new Map<string, number>();
    for (const pid of pids) {
      if (used.size >= LIMIT) break;
      this.#read(pid, used);
    }
    const before = this.#before;
    const wanted = this.#time === undefined ? Number.POSITIVE_INFINITY : ((now - this.#time) / 1000) * share;
    this.#before = used;
    this.#time = now;
    return [...used].filter(([thread, seconds]) => {
      const earlier = before.get(thread);
      return earlier !== undefined && seconds - earlier >= wanted;
    }).length;
  }

  #read(pid: number, into: Map<string, number>): void {
    const folder = `${this.#procRoot}/${pid}/task`;
    try {
      for (const thread of readdirSync(folder)) {
        if (into.size >= LIMIT) return;
        const stat = parseStat(readFileSync(`${folder}/${thread}/stat`, 'utf8'));
        if (!stat) continue;
        const seconds = stat.cpu / TICKS_PER_SECOND + waited(`${folder}/${thread}`);
        into.set(`${thread}:${stat.start}`, seconds);
      }
    } catch {
      // Processes and threads end while they are read; those that do peg nothing.
    }
  }
}

/** Seconds that a thread waited for a CPU (scheduler/sched-stats.rst, /proc/<pid>/schedstat); 0 where nobody counts them. */
function waited(folder: string): number {
  try {
    return Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[1]) / 1e9;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
