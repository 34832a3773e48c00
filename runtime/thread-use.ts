import { readdirSync, readFileSync } from 'node:fs';
import { parseStat, TICKS_PER_SECOND } from './proc-fs.ts';

/** More threads than this of one container are not looked at. */
const LIMIT = 2048;

/** CPU time of the threads of one container, from one look to the next. */
export class ThreadUse {
  readonly #procRoot: string;
  #before = new Map<string, number>();
  #time: number | undefined;

  constructor(procRoot: string) {
    this.#procRoot = procRoot;
  }

  /** How many threads took at least `share` of a CPU since the look before; 0 at the first. `now` in milliseconds. */
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
    return [...used].filter(([thread, ticks]) => {
      const earlier = before.get(thread);
      return earlier !== undefined && (ticks - earlier) / TICKS_PER_SECOND >= wanted;
    }).length;
  }

  #read(pid: number, into: Map<string, number>): void {
    const folder = `${this.#procRoot}/${pid}/task`;
    try {
      for (const thread of readdirSync(folder)) {
        if (into.size >= LIMIT) return;
        const stat = parseStat(readFileSync(`${folder}/${thread}/stat`, 'utf8'));
        if (stat) into.set(`${thread}:${stat.start}`, stat.cpu);
      }
    } catch {
      // Processes and threads end while they are read; those that do peg nothing.
    }
  }
}
