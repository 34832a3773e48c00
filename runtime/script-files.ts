import { stat } from 'node:fs/promises';
import type { ProcFs } from './proc-fs.ts';
import { type Process, ticksOf } from './processes.ts';

/** More that wait than this are not looked at. */
const WAITING = 64;

/** When the scripts that interpreters are given were written. */
export class ScriptFiles {
  readonly #proc: Pick<ProcFs, 'root' | 'is'>;
  /** One after the other: a file system that answers nobody must not take every thread that reads. */
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(proc: Pick<ProcFs, 'root' | 'is'>) {
    this.#proc = proc;
  }

  /**
   * Whether the file at `path`, as `process` sees it, was changed at `time` or later, in milliseconds since 1970. False
   * where nobody can tell any more. Never rejects.
   */
  async changedSince(process: Process, path: string, time: number): Promise<boolean> {
    if (this.#waiting >= WAITING) return false;
    this.#waiting++;
    const changed = this.#turn.then(() => this.#changed(process, path));
    this.#turn = changed;
    return changed.then((at) => at >= time).finally(() => this.#waiting--);
  }

  /** Where the process is gone already, as the one that started it sees the file. */
  async #changed({ pid, start, parent }: Process, path: string): Promise<number> {
    const own = await this.#read(pid, path);
    if (own !== undefined || parent === undefined || this.#proc.is(pid, ticksOf(start))) return own ?? 0;
    return (await this.#read(parent.pid, path)) ?? 0;
  }

  async #read(pid: number, path: string): Promise<number | undefined> {
    const seen = `${this.#proc.root}/${pid}`;
    try {
      return (await stat(path.startsWith('/') ? `${seen}/root${path}` : `${seen}/cwd/${path}`)).ctimeMs;
    } catch {
      // No such file, or no such process any more.
      return undefined;
    }
  }
}
