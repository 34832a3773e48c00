import { LRUCache } from 'lru-cache';
import type { Finding } from '../../api/finding.ts';
import { EXEC_FLAG } from '../../bpf/events.ts';
import { baseName } from '../base-name.ts';
import { HOST } from '../containers.ts';
import type { Forgetful, Gone } from '../departures.ts';
import type { Image } from '../image.ts';
import { lineage, type Process, ticksOf } from '../processes.ts';
import { finding } from '../signal.ts';
import {
  type Download,
  downloadOf,
  isBystander,
  isDownloader,
  isFilter,
  isInterpreter,
  isStream,
  isUnpacker,
  operandsOf,
  renameOf,
  type Script,
  type Surroundings,
  scriptOf,
  sinkOf,
} from './download.ts';

/** A process that connects all the time is looked at so often. */
const AGAIN_NS = 1e9;

/** Endings that unpacking takes away. */
const PACKED = /\.(?:gz|xz|bz2|zst|b64|enc|tmp|part)$/;

/** The sides of a pipe start together; a file may wait. */
const PIPE_NS = 10e9;
const FILE_NS = 600e9;

/** How far above a download the shell may be that runs what came: a script that calls a script that downloads. */
const LEVELS = 3;

/** Downloads, and readers of pipes, that are remembered of a process. */
const REMEMBERED = 16;

const NOT_OF_THE_IMAGE = EXEC_FLAG.upperLayer | EXEC_FLAG.memfd | EXEC_FLAG.deleted;

/** How much earlier than it happened the clock of a file system may say that it did, milliseconds. */
const CLOCK_MS = 20;

interface Tree {
  downloads: Download[];
  /** Shells that read their script from a pipe. */
  readers: { at: number; process: Process }[];
}

/** A script that came, if its file is not older than that, in milliseconds since 1970. */
export interface PossibleScript {
  path: string;
  since: number;
  execution: DownloadExecution;
}

/** A program whose code was downloaded a short while before by the same tree of processes. */
export interface DownloadExecution {
  process: Process;
  findings: Finding[];
  evidence: { download: string };
}

/**
 * Recognises download and execute: `curl URL | sh`, a file that is downloaded, perhaps moved, and then run or read by an
 * interpreter, through filters and archives too, and the same by any program that connects. Looks at exec events, and at
 * connections, in the order of their time, which is in nanoseconds after boot.
 */
export class DownloadExecuteDetector implements Forgetful {
  /** By process, and by the path of a container: there a file may be run by another tree than the one that got it. */
  readonly #trees = new LRUCache<number | string, Tree>({ max: 4096 });
  readonly #around: Surroundings;
  readonly #idle = new WeakMap<Image, boolean>();

  constructor(around: Surroundings = { descriptor: () => undefined, absolute: (_, path) => path }) {
    this.#around = around;
  }

  /** Whether connections of this are of interest: interpreters run what they fetch, and start what fetches for them. */
  concerns({ image, parent }: Process): boolean {
    if (this.#interprets(image)) return true;
    const maker = parent && (this.#interprets(parent.image) ? parent : parent.parent);
    return maker !== undefined && this.#interprets(maker.image);
  }

  /** Somebody connected: whatever is fetched may be run soon. */
  connected(process: Process, at: number, address: string, port: number): DownloadExecution | undefined {
    const known = this.#trees.get(keyOf(process))?.downloads.find(({ isGuess }) => isGuess);
    if (known?.process === process && at - known.at < AGAIN_NS) return undefined;
    const download: Download = {
      at,
      url: `tcp://${address.includes(':') ? `[${address}]` : address}:${port}`,
      files: new Set(),
      process,
      isGuess: true,
    };
    const parents = lineage(process).slice(0, LEVELS);
    for (const one of [process, ...parents]) {
      const tree = this.#tree(keyOf(one));
      // It may connect a thousand times; only the last counts.
      tree.downloads = tree.downloads.filter((before) => !(before.isGuess && before.process === process));
      tree.downloads.push(download);
    }
    return this.#interprets(process.image)
      ? this.#waitingFor(download, parents, at)
      : this.#atTheOtherEnd(download, parents, at);
  }

  #interprets(image: Image): boolean {
    return !this.isIdle(image) && isInterpreter(image);
  }

  /** Of a program that is no downloader by its name only what comes out of it counts, into whoever reads its pipe. */
  #atTheOtherEnd(download: Download, parents: readonly Process[], at: number): DownloadExecution | undefined {
    const readers = parents
      .slice(0, 2)
      .flatMap((parent) => recent(this.#trees.get(keyOf(parent))?.readers ?? [], at, PIPE_NS));
    if (readers.length === 0) return undefined;
    const { descriptor } = this.#around;
    const output = descriptor(download.process.pid, 1);
    if (output === undefined || !isStream(output)) return undefined;
    const reader = readers.find(({ process }) => descriptor(process.pid, 0) === output);
    return reader && execution(reader.process, download, 'It runs');
  }

  /** Whether what runs this image says nothing by itself: neither fetches, renames nor interprets. */
  isIdle(image: Image): boolean {
    let isIdle = this.#idle.get(image);
    if (isIdle === undefined) {
      isIdle = !(image.flags & NOT_OF_THE_IMAGE) && isBystander(image);
      this.#idle.set(image, isIdle);
    }
    return isIdle;
  }

  /** `time` is `at` in milliseconds since 1970. */
  executed(process: Process, at: number, time: number): DownloadExecution | undefined {
    if (this.#trees.size === 0 && this.isIdle(process.image)) return undefined;
    const parents = lineage(process).slice(0, LEVELS);
    const script = scriptOf(process, this.#around.descriptor);
    const download =
      downloadOf(process, at, this.#around) ?? (script ? undefined : this.#passedOn(process, parents[0], at));
    if (download) return this.#downloaded(download, parents, at);
    const rename = renameOf(process);
    if (rename) this.#renamed(rename, parents);
    const found = this.#fromPipe(process, script, parents[0], at);
    if (found) return found;
    return this.#fromFile(process, script, parents, at, time) ?? this.#filtered(process, parents, at);
  }

  /**
   * A script whose name nobody mentioned, behind a connection or an archive: its file tells whether it came with it. To be
   * asked about what `executed` said nothing about.
   */
  possibleScript(process: Process, at: number, time: number): PossibleScript | undefined {
    if (this.#trees.size === 0) return undefined;
    const script = scriptOf(process, this.#around.descriptor);
    if (script?.kind !== 'file') return undefined;
    const parents = lineage(process).slice(0, LEVELS);
    const beside = recent(this.#trees.get(keyOf(parents[0] ?? process))?.downloads ?? [], at, PIPE_NS);
    const source =
      // What is called a downloader says what it writes.
      beside.findLast((one) => one.isGuess && !isDownloader(one.process)) ??
      parents
        .flatMap((one) => recent(this.#trees.get(keyOf(one))?.downloads ?? [], at, FILE_NS))
        .find(({ isUnpacked }) => isUnpacked);
    if (!source) return undefined;
    return {
      path: script.path,
      since: epochOf(source, at, time),
      execution: execution(process, source, 'It runs a file that was written after a connection, perhaps'),
    };
  }

  forget({ path }: Gone, isGone: boolean): void {
    if (isGone) this.#trees.delete(path);
  }

  /** What reads from a connection that its maker opened: `exec 3<>/dev/tcp/...; cat <&3 > file`. */
  #passedOn(process: Process, parent: Process | undefined, at: number): Download | undefined {
    const opened = parent && this.#guesses(parent, parent, at).at(-1);
    if (!opened || !this.#around.descriptor(process.pid, 0)?.startsWith('socket:')) return undefined;
    const sink = sinkOf(this.#around.descriptor(process.pid, 1));
    if (sink === undefined) return undefined;
    const path = sink === 'pipe' ? undefined : sink.file;
    return { ...opened, at, files: new Set(path ? [baseName(path)] : []), path, process, isGuess: false };
  }

  /** Recent connections of `process`, as the tree of `one` knows them. */
  #guesses(one: Process, process: Process, at: number): Download[] {
    const downloads = recent(this.#trees.get(keyOf(one))?.downloads ?? [], at, PIPE_NS);
    return downloads.filter((download) => download.isGuess && isSame(download.process, process));
  }

  /** `base64 -d FILE | sh`, `dd if=FILE of=OTHER`, `tar xf FILE`: what a download becomes is one, too. */
  #filtered(process: Process, parents: readonly Process[], at: number): DownloadExecution | undefined {
    for (const parent of parents) {
      const downloads = recent(this.#trees.get(keyOf(parent))?.downloads ?? [], at, FILE_NS);
      if (downloads.length === 0) continue;
      const operands = operandsOf(process);
      const source = downloads.find(({ files }) => operands.some((name) => files.has(name)));
      if (source) return this.#became(process, source, operands, parents, at);
      const piped = recent(downloads, at, PIPE_NS).find(({ files, isGuess }) => files.size === 0 && !isGuess);
      if (piped && isUnpacker(process)) piped.isUnpacked = true;
    }
    return undefined;
  }

  #became(
    process: Process,
    source: Download,
    operands: readonly string[],
    parents: readonly Process[],
    at: number,
  ): DownloadExecution | undefined {
    const output = this.#around.descriptor(process.pid, 1);
    if (isUnpacker(process) || (output === undefined && isFilter(process))) source.isUnpacked = true;
    // Filters are done in no time: where one is gone already, it may have been the left side of a pipe.
    const sink = output === undefined ? 'pipe' : sinkOf(output);
    if (sink === 'pipe') {
      const piped = { ...source, at, files: new Set<string>(), path: undefined, process };
      const found = this.#downloaded(piped, parents, at);
      if (found || output !== undefined) return found;
    }
    const target = process.image.argv.find((argument) => argument.startsWith('of='))?.slice(3);
    const file = typeof sink === 'object' ? sink.file : undefined;
    const names = [file, target, ...operands.map((name) => name.replace(PACKED, ''))];
    for (const name of names) {
      if (name !== undefined && source.files.size < REMEMBERED) source.files.add(baseName(name));
    }
    return undefined;
  }

  #downloaded(download: Download, parents: readonly Process[], at: number): DownloadExecution | undefined {
    for (const parent of parents) this.#tree(keyOf(parent)).downloads.push(download);
    const { container } = download.process;
    if (container !== HOST) this.#tree(container.cgroup).downloads.push(download);
    return download.files.size > 0 ? undefined : this.#waitingFor(download, parents, at);
  }

  /** Both sides of a pipe start at once; the reader may have come first. A shell does not read from what it starts. */
  #waitingFor(download: Download, parents: readonly Process[], at: number): DownloadExecution | undefined {
    const reader = parents
      .slice(0, 2)
      .flatMap((parent) => recent(this.#trees.get(keyOf(parent))?.readers ?? [], at, PIPE_NS))
      .findLast((one) => !parents.some((parent) => isSame(parent, one.process)));
    return reader && execution(reader.process, download, 'It runs');
  }

  #renamed([from, to]: [string, string], parents: readonly Process[]): void {
    for (const parent of parents) {
      for (const { files } of this.#trees.get(keyOf(parent))?.downloads ?? []) {
        if (files.has(from) && files.size < REMEMBERED) files.add(to);
      }
    }
  }

  #fromPipe(
    process: Process,
    script: Script | undefined,
    parent: Process | undefined,
    at: number,
  ): DownloadExecution | undefined {
    if (!parent || (script?.kind !== 'pipe' && !isWholeScript(script))) return undefined;
    const tree = this.#tree(keyOf(parent));
    if (script.kind === 'pipe') tree.readers.push({ at, process });
    const source = recent(tree.downloads, at, PIPE_NS).findLast(
      ({ files, isGuess }) => files.size === 0 && !(isGuess && script.kind === 'text'),
    );
    return source && execution(process, source, 'It runs');
  }

  #fromFile(
    process: Process,
    script: Script | undefined,
    parents: readonly Process[],
    at: number,
    time: number,
  ): DownloadExecution | undefined {
    const { container, image } = process;
    const { exe, filename, flags, changed } = image;
    /** Whether its file was written after that. */
    const isNewerThan = (download: Download) =>
      changed !== undefined && changed >= epochOf(download, at, time);
    const paths = [exe, filename, ...(script?.kind === 'file' ? [script.path] : [])];
    const names = paths.map(baseName);
    for (const one of [process, ...parents]) {
      const downloads = recent(this.#trees.get(keyOf(one))?.downloads ?? [], at, FILE_NS);
      const source =
        downloads.find(({ files }) => names.some((name) => files.has(name))) ??
        downloads.find((download) => download.isUnpacked && isNewerThan(download));
      if (source) return execution(process, source, 'It runs a file that came');
    }
    const elsewhere = recent(this.#trees.get(container.cgroup)?.downloads ?? [], at, FILE_NS);
    if (elsewhere.length > 0) {
      const places = paths.map((path) => this.#around.absolute(process.pid, path));
      const source = elsewhere.find(({ path }) => path !== undefined && places.includes(path));
      if (source) return execution(process, source, 'It runs a file that came');
    }
    if (!(flags & NOT_OF_THE_IMAGE)) return undefined;
    // Written by a program that had just connected, and started by it.
    const own = [process, ...parents.slice(0, 1)].flatMap((one) => this.#guesses(one, one, at)).at(-1);
    // Or by one that was started beside it.
    const beside = recent(this.#trees.get(keyOf(parents[0] ?? process))?.downloads ?? [], at, PIPE_NS);
    const guess = own ?? beside.findLast((download) => download.isGuess && isNewerThan(download));
    return guess && execution(process, guess, 'It runs what is not in the image, after a connection');
  }

  #tree(key: number | string): Tree {
    const known = this.#trees.get(key);
    if (known) {
      known.downloads = known.downloads.slice(1 - REMEMBERED);
      known.readers = known.readers.slice(1 - REMEMBERED);
      return known;
    }
    const tree: Tree = { downloads: [], readers: [] };
    this.#trees.set(key, tree);
    return tree;
  }
}

/** `sh -c "$(curl URL)"` gives a whole file to the shell, not a command that somebody typed. */
function isWholeScript(script: Script | undefined): script is { kind: 'text'; text: string } {
  return script?.kind === 'text' && /^#!|\n/.test(script.text);
}

/** When it came at the earliest, milliseconds since 1970, if `at` is `time`. */
function epochOf(download: Download, at: number, time: number): number {
  return time - (at - download.at) / 1e6 - CLOCK_MS;
}

function execution(process: Process, { url }: Download, what: string): DownloadExecution {
  const message = `${what} from ${url} a moment before.`;
  return { process, findings: [finding('remote-script', 'exe', message, url)], evidence: { download: url } };
}

function recent<T extends { at: number }>(all: readonly T[], at: number, window: number): T[] {
  return all.filter((one) => Math.abs(at - one.at) <= window);
}

function isSame(a: Process, b: Process): boolean {
  return a.pid === b.pid && a.start === b.start;
}

/** Pids have 22 bits (proc_sys_kernel(5), pid_max); the ticks of a hundred days fit into the rest. */
function keyOf({ pid, start }: Process): number {
  return ticksOf(start) * 2 ** 22 + pid;
}
