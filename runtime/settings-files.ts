import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import type { Finding } from '../api/finding.ts';
import type { Indicators } from '../detection/indicators.ts';
import { judgeSettingsFile } from '../detection/process.ts';
import { isInert } from '../detection/program.ts';
import type { Forgetful } from './departures.ts';
import type { Image } from './image.ts';
import type { ProcFs } from './proc-fs.ts';
import { type Process, ticksOf } from './processes.ts';

/** What the settings of a program say, and where they stand. */
export interface SettingsVerdict {
  findings: Finding[];
  evidence: { settings: string };
}

export interface SettingsFilesOptions {
  proc: ProcFs;
  indicators: Indicators;
}

/** Options that are followed by the name of a settings file, in miners and elsewhere. */
const OPTION = /^-{1,2}(?:c|conf|config|config-?file|conf-file|cfg)$/i;
const GLUED = /^-{1,2}(?:c|conf|config|config-?file|conf-file|cfg)=(.+)$/i;

/** To these -c is something else: to count, to compile, a command. */
const OTHERWISE =
  /^(?:(?:ba|da|a|z|k|fi)?sh|su|busybox|wc|head|tail|[ef]?grep|cut|uniq|sort|sum|cksum|stat|tar|gcc|g\+\+|cc|clang|git|ping|python[\d.]*|ruby[\d.]*|perl[\d.]*|script|flock|taskset)$/;

/** What looks like settings anywhere among the arguments; scanners and editors are given such files too. */
const SETTINGS = /\.(?:jsonc?|conf|cfg|ini|toml|ya?ml|txt)$/i;
const MENTIONED = 60;

/** What miners look for beside themselves when they are told nothing (xmrig, nanominer, xmr-stak). */
const BESIDE = ['config.json', 'config.ini', 'pools.txt'];

/** Miners' are some kilobytes. */
const BYTES = 64 * 1024;
const PATHS = 4;
const WAITING = 64;

/** What lies beside a program is looked for so often at most: milliseconds. */
const BESIDE_MS = 10_000;

/**
 * Settings that a program is started with, as far as a miner may have its own in them. They are compared where they are
 * read; of what they say nothing is kept but the pool. A file is read once, as long as it is not changed.
 */
export class SettingsFiles implements Forgetful {
  /** Programs of which nobody looked at the settings because too many were waiting. */
  missed = 0;
  readonly #proc: ProcFs;
  #indicators: Indicators;
  readonly #paths = new WeakMap<Image, readonly string[]>();
  readonly #judged = new LRUCache<string, readonly Finding[]>({ max: 1024 });
  /** Programs beside which somebody looked a moment ago, with their container. */
  readonly #looked = new LRUCache<string, true>({ max: 1024, ttl: BESIDE_MS });
  /** One after the other: a file system that answers nobody must not take every thread that reads. */
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor({ proc, indicators }: SettingsFilesOptions) {
    this.#proc = proc;
    this.#indicators = indicators;
  }

  set indicators(indicators: Indicators) {
    this.#indicators = indicators;
    this.#judged.clear();
  }

  /** Whether it is told by its arguments where its settings are: they may be others the next time. */
  concerns(image: Image): boolean {
    return this.#pathsOf(image).some((path) => !BESIDE.includes(path));
  }

  /** Some container is long gone, and so is what was a moment ago. */
  forget(): void {
    this.#looked.purgeStale();
  }

  /** Undefined where there is nothing to say, or nothing can be read any more. Never rejects. */
  async judge(process: Process): Promise<SettingsVerdict | undefined> {
    const paths = this.#pathsOf(process.image);
    if (paths.length === 0 || this.#isAgain(process, paths)) return undefined;
    if (this.#waiting >= WAITING) {
      this.missed++;
      return undefined;
    }
    this.#waiting++;
    const verdict = this.#turn.then(() => this.#first(process, paths));
    this.#turn = verdict;
    return verdict.finally(() => this.#waiting--);
  }

  #isAgain({ container, image }: Process, paths: readonly string[]): boolean {
    if (paths !== BESIDE) return false;
    const key = `${container.cgroup}\0${image.exe}`;
    if (this.#looked.has(key)) return true;
    this.#looked.set(key, true);
    return false;
  }

  async #first(process: Process, paths: readonly string[]): Promise<SettingsVerdict | undefined> {
    for (const path of paths) {
      const findings = await this.#found(process, path);
      if (findings.length === 0) continue;
      const isTold = BESIDE.includes(path) || isToldBy(process.image, path);
      const weighed = findings.map((one) =>
        isTold ? one : { ...one, score: Math.min(one.score, MENTIONED) },
      );
      return { findings: weighed, evidence: { settings: path } };
    }
    return undefined;
  }

  /** Where the process is gone already, as those that started it see the file. */
  async #found({ pid, start, image, parent }: Process, path: string): Promise<readonly Finding[]> {
    const own = await this.#read(this.#placeOf(pid, image, path));
    if (own || this.#proc.is(pid, ticksOf(start))) return own ?? [];
    for (const viewer of [parent, parent?.parent]) {
      const findings = viewer && (await this.#read(this.#placeOf(viewer.pid, image, path)));
      if (findings) return findings;
    }
    return [];
  }

  /** Through a process, whatever it sees as its root. */
  #placeOf(pid: number, { exe }: Image, path: string): string {
    const own = `${this.#proc.root}/${pid}`;
    if (path === '-' || /^\/(?:dev\/stdin|(?:dev|proc\/self)\/fd\/0)$/.test(path)) return `${own}/fd/0`;
    if (BESIDE.includes(path)) return `${own}/root${exe.slice(0, exe.lastIndexOf('/') + 1)}${path}`;
    return path.startsWith('/') ? `${own}/root${path}` : `${own}/cwd/${path}`;
  }

  /** Undefined where there is no such file. */
  async #read(place: string): Promise<readonly Finding[] | undefined> {
    try {
      // Opening a device or a pipe may do something.
      const found = await stat(place);
      if (!found.isFile()) return [];
      const { dev, ino, size, mtimeMs } = found;
      const key = `${dev}:${ino}:${size}:${mtimeMs}`;
      const known = this.#judged.get(key);
      if (known !== undefined) return known;
      await using file = await open(place, constants.O_RDONLY | constants.O_NONBLOCK);
      if (!(await file.stat()).isFile()) return [];
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, BYTES)), 0, null, 0);
      const findings = judgeSettingsFile(buffer.toString('utf8', 0, bytesRead), {
        indicators: this.#indicators,
      });
      this.#judged.set(key, findings);
      return findings;
    } catch {
      // No such file, or no such process any more.
      return undefined;
    }
  }

  #pathsOf(image: Image): readonly string[] {
    let paths = this.#paths.get(image);
    if (paths === undefined) {
      paths = pathsOf(image);
      this.#paths.set(image, paths);
    }
    return paths;
  }
}

function pathsOf({ exe, argv }: Image): readonly string[] {
  const base = exe.slice(exe.lastIndexOf('/') + 1);
  if (OTHERWISE.test(base)) return [];
  const told = toldBy(argv);
  const mentioned = isInert(exe)
    ? []
    : argv.slice(1).filter((argument) => SETTINGS.test(argument) && !argument.startsWith('-'));
  // Nobody installs settings beside the programs of the system.
  const beside = /^(?:\/usr)?(?:\/local)?\/s?bin\//.test(exe) || !exe.startsWith('/') ? [] : BESIDE;
  const named = [...new Set([...told, ...mentioned])].slice(0, PATHS);
  return named.length > 0 ? named : beside;
}

/** The files that options name. */
function toldBy(argv: readonly string[]): string[] {
  return argv.flatMap((argument, index) => {
    const path = GLUED.exec(argument)?.[1] ?? (OPTION.test(argument) ? argv[index + 1] : undefined);
    return path === undefined || path === '' ? [] : [path];
  });
}

function isToldBy({ argv }: Image, path: string): boolean {
  return toldBy(argv).includes(path);
}
