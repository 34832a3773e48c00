import { LRUCache } from 'lru-cache';
import type { Finding } from '../../api/finding.ts';
import { EXEC_FLAG } from '../../bpf/events.ts';
import type { Image } from '../image.ts';
import { lineage, type Process, ticksOf } from '../processes.ts';
import { finding } from '../signal.ts';
import {
  baseOf,
  type Descriptor,
  type Download,
  downloadOf,
  isBystander,
  isInterpreter,
  renameOf,
  type Script,
  scriptOf,
} from './download.ts';

/** The sides of a pipe start together; a file may wait. */
const PIPE_NS = 10e9;
const FILE_NS = 600e9;

/** How far above a download the shell may be that runs what came: a script that calls a script that downloads. */
const LEVELS = 3;

/** Downloads, and readers of pipes, that are remembered of a process. */
const REMEMBERED = 16;

const NOT_OF_THE_IMAGE = EXEC_FLAG.upperLayer | EXEC_FLAG.memfd | EXEC_FLAG.deleted;

interface Tree {
  downloads: Download[];
  /** Shells that read their script from a pipe. */
  readers: { at: number; process: Process }[];
}

/** A program whose code was downloaded a short while before by the same tree of processes. */
export interface DownloadExecution {
  process: Process;
  findings: Finding[];
  evidence: { download: string };
}

/**
 * Recognises download and execute: `curl URL | sh`, a file that is downloaded, perhaps moved, and then run or read by an
 * interpreter, and the same by an interpreter that connects itself. Looks at exec events, and at connections of
 * interpreters, in the order of their time, which is in nanoseconds after boot.
 */
export class DownloadExecuteDetector {
  readonly #trees = new LRUCache<number, Tree>({ max: 4096 });
  readonly #descriptor: Descriptor;
  readonly #idle = new WeakMap<Image, boolean>();

  constructor(descriptor: Descriptor = () => undefined) {
    this.#descriptor = descriptor;
  }

  /** Whether connections of this are of interest. */
  concerns(image: Image): boolean {
    return !this.isIdle(image) && isInterpreter(image);
  }

  /** An interpreter connected: whatever it fetches may be run soon. */
  connected(process: Process, at: number, address: string, port: number): DownloadExecution | undefined {
    const download: Download = {
      at,
      url: `tcp://${address.includes(':') ? `[${address}]` : address}:${port}`,
      files: new Set(),
      process,
      isGuess: true,
    };
    const parents = lineage(process).slice(0, LEVELS);
    for (const one of [process, ...parents]) {
      const tree = this.#tree(one);
      // It may connect a thousand times; only the last counts.
      tree.downloads = tree.downloads.filter((before) => !(before.isGuess && before.process === process));
      tree.downloads.push(download);
    }
    return this.#waitingFor(download, parents, at);
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

  executed(process: Process, at: number): DownloadExecution | undefined {
    if (this.#trees.size === 0 && this.isIdle(process.image)) return undefined;
    const parents = lineage(process).slice(0, LEVELS);
    const download = downloadOf(process, at, this.#descriptor);
    if (download) return this.#downloaded(download, parents, at);
    const rename = renameOf(process);
    if (rename) this.#renamed(rename, parents);
    const script = scriptOf(process, this.#descriptor);
    return this.#fromPipe(process, script, parents[0], at) ?? this.#fromFile(process, script, parents, at);
  }

  #downloaded(download: Download, parents: readonly Process[], at: number): DownloadExecution | undefined {
    for (const parent of parents) this.#tree(parent).downloads.push(download);
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
    const tree = this.#tree(parent);
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
  ): DownloadExecution | undefined {
    const { exe, filename, flags } = process.image;
    const names = [baseOf(exe), baseOf(filename), ...(script?.kind === 'file' ? [script.name] : [])];
    for (const one of [process, ...parents]) {
      const downloads = recent(this.#trees.get(keyOf(one))?.downloads ?? [], at, FILE_NS);
      const source = downloads.find(({ files }) => names.some((name) => files.has(name)));
      if (source) return execution(process, source, 'It runs a file that came');
    }
    if (!(flags & NOT_OF_THE_IMAGE)) return undefined;
    // Written by a program that had just connected, and started by it.
    for (const one of [process, ...parents.slice(0, 1)]) {
      const guess = recent(this.#trees.get(keyOf(one))?.downloads ?? [], at, PIPE_NS).findLast(
        (download) => download.isGuess && isSame(download.process, one),
      );
      if (guess) return execution(process, guess, 'It runs what is not in the image, after a connection');
    }
    return undefined;
  }

  #tree(process: Process): Tree {
    const key = keyOf(process);
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
