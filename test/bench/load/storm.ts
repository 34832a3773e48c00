import { join } from 'node:path';
import { run } from './run.ts';

export interface StormOptions {
  kind: 'exec' | 'connect';
  /** A second; 0 is as fast as it goes. */
  rate: number;
  count: number;
  workers?: number;
  /** Folder of the cgroup that it runs in. */
  cgroup: string;
  /** What is executed. */
  program?: string;
  /** Its one argument, before a number. */
  prefix?: string;
  /** Of connect: how many addresses of loopback it takes turns with; 1 unless given. */
  addresses?: number;
}

export interface StormResult {
  sent: number;
  failed: number;
  /** Children that a signal ended. */
  killed: number;
  seconds: number;
}

/** The load of the benchmarks, made by programs that are compiled into `folder` first. */
export class Storms {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async compile(folder: string): Promise<Storms> {
    const source = (name: string) => join(import.meta.dirname, `${name}.c`);
    await Promise.all([
      run('gcc', ['-O2', '-o', join(folder, 'storm'), source('storm')]),
      run('gcc', ['-nostdlib', '-static', '-o', join(folder, 'nothing'), source('victim')]),
      run('gcc', ['-O2', '-o', join(folder, 'rounding'), source('rounding'), '-lm']),
    ]);
    return new Storms(folder);
  }

  /** A static program of a few instructions: makes the file that its argument names, if it has one, and ends. */
  get nothing(): string {
    return join(this.#folder, 'nothing');
  }

  get rounding(): string {
    return join(this.#folder, 'rounding');
  }

  async run(options: StormOptions): Promise<StormResult> {
    const { kind, rate, count, workers = 1, cgroup, program, prefix, addresses = 1 } = options;
    const what =
      kind === 'connect'
        ? [`${addresses}`]
        : [program ?? this.nothing, ...(prefix === undefined ? [] : [prefix])];
    const storm = [join(this.#folder, 'storm'), kind, `${rate}`, `${count}`, `${workers}`, ...what];
    return JSON.parse(await run('/bin/sh', inCgroup(cgroup, storm))) as StormResult;
  }
}

/** Arguments of a shell that enters a cgroup and becomes `command`. */
export function inCgroup(cgroup: string, command: string[]): string[] {
  return ['-c', 'echo 0 > "$1"; shift; exec "$@"', 'sh', join(cgroup, 'cgroup.procs'), ...command];
}
