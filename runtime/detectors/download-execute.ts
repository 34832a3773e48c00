import { LRUCache } from 'lru-cache';
import type { Finding } from '../../api/finding.ts';
import { lineage, type Process } from '../processes.ts';
import { finding } from '../signal.ts';

const WINDOW_NS = 10e9;

/** How far above a download the shell may be that runs what came: a script that calls a script that downloads. */
const LEVELS = 3;

const DOWNLOADERS = /^(?:curl|wget2?|fetch|aria2c|axel|ftpget|tftp|lwp-download|lwp-request|http|https)$/;
const SHELLS = /^(?:ba|da|a|z|k|fi)?sh$|^busybox$/;
const INTERPRETERS = /^(?:(?:ba|da|a|z|k|fi)?sh|busybox|python[\d.]*|perl[\d.]*|node|php[\d.]*|ruby[\d.]*)$/;

interface Download {
  at: number;
  url: string;
  /** Base name of the file that it writes; undefined when it goes to standard output or is not known. */
  output: string | undefined;
  process: Process;
}

interface Tree {
  downloads: Download[];
  /** Shells that read their script from a pipe. */
  readers: { at: number; process: Process }[];
}

/** A program whose code was downloaded within the last ten seconds by the same tree of shells. */
export interface DownloadExecution {
  process: Process;
  findings: Finding[];
  evidence: { download: string };
}

/**
 * Recognises download and execute: `curl URL | sh`, or a file that a shell downloads and then runs or has an
 * interpreter read. Looks at exec events alone, in the order of their time.
 */
export class DownloadExecuteDetector {
  readonly #trees = new LRUCache<string, Tree>({ max: 4096 });

  /** `at` in nanoseconds after boot. */
  executed(process: Process, at: number): DownloadExecution | undefined {
    const parents = lineage(process).slice(0, LEVELS);
    const download = downloadOf(process, at);
    if (download) {
      for (const parent of parents) this.#tree(parent).downloads.push(download);
      // Both sides of a pipe start at once; the reader may have come first.
      const reader = parents[0] && recent(this.#tree(parents[0]).readers, at).at(-1);
      return reader && download.output === undefined
        ? execution(reader.process, download, 'It runs')
        : undefined;
    }
    if (parents[0] && readsScriptFromPipe(process)) {
      const tree = this.#tree(parents[0]);
      tree.readers.push({ at, process });
      const source = recent(tree.downloads, at).findLast(({ output }) => output === undefined);
      if (source) return execution(process, source, 'It runs');
    }
    for (const candidate of [process, ...parents]) {
      const tree = this.#trees.get(keyOf(candidate));
      const source = tree && recent(tree.downloads, at).find((one) => runs(process, one));
      if (source) return execution(process, source, `It runs ${source.output}, which came`);
    }
    return undefined;
  }

  #tree(process: Process): Tree {
    const key = keyOf(process);
    const known = this.#trees.get(key);
    if (known) {
      known.downloads = known.downloads.slice(-15);
      known.readers = known.readers.slice(-15);
      return known;
    }
    const tree: Tree = { downloads: [], readers: [] };
    this.#trees.set(key, tree);
    return tree;
  }
}

function execution(process: Process, { url }: Download, what: string): DownloadExecution {
  const message = `${what} from ${url} a moment before.`;
  return { process, findings: [finding('remote-script', 'exe', message, url)], evidence: { download: url } };
}

function downloadOf(process: Process, at: number): Download | undefined {
  const [command, ...args] = appletOf(process);
  if (command === undefined || !DOWNLOADERS.test(command)) return undefined;
  const url =
    args.find((argument) => argument.includes('://')) ?? args.findLast((one) => !one.startsWith('-'));
  if (url === undefined) return undefined;
  return { at, url: withoutSecrets(url), output: outputOf(command, args, url), process };
}

/** Name of the command and its arguments, through `busybox NAME ...` and symbolic links to it. */
function appletOf({ image: { exe, argv } }: Process): string[] {
  const [first = exe, ...rest] = argv;
  if (baseOf(first) === 'busybox' && rest[0] !== undefined) return rest;
  return [DOWNLOADERS.test(baseOf(exe)) ? baseOf(exe) : baseOf(first), ...rest];
}

function outputOf(command: string, args: readonly string[], url: string): string | undefined {
  const isCurl = command === 'curl';
  const takesFile = isCurl ? /^(?:-\w*o|--output)$/ : /^(?:-\w*[oO]|--output-document|--out)$/;
  const glued = isCurl
    ? /^(?:--output=|-[a-zA-Z]*?o)(.+)$/
    : /^(?:--output-document=|--out=|-[a-zA-Z]*?[oO])(.+)$/;
  for (const [index, argument] of args.entries()) {
    const file = takesFile.test(argument) ? args[index + 1] : glued.exec(argument)?.[1];
    if (file !== undefined && file !== url)
      return file === '-' || file === '/dev/stdout' ? undefined : baseOf(file);
  }
  const named =
    command !== 'curl' || args.some((argument) => /^(?:-\w*O|--remote-name(?:-all)?)$/.test(argument));
  return named ? baseOf(url.replace(/[?#].*$/, '')) || undefined : undefined;
}

/** Whether `process` is the downloaded file, or an interpreter that was told to read it. */
function runs({ image: { exe, filename, argv } }: Process, { output }: Download): boolean {
  if (output === undefined) return false;
  if (baseOf(exe) === output || baseOf(filename) === output) return true;
  const script = INTERPRETERS.test(baseOf(exe))
    ? argv.slice(1).find((argument) => !argument.startsWith('-'))
    : undefined;
  return script !== undefined && baseOf(script) === output;
}

function readsScriptFromPipe({ image: { exe, argv } }: Process): boolean {
  return SHELLS.test(baseOf(exe)) && argv.slice(1).every((argument) => /^-[a-bd-z]*$/i.test(argument));
}

function recent<T extends { at: number }>(all: readonly T[], at: number): T[] {
  return all.filter((one) => Math.abs(at - one.at) <= WINDOW_NS);
}

function keyOf({ pid, start }: Process): string {
  return `${pid}:${start}`;
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Addresses may carry a password or a signature; neither belongs into a report. */
function withoutSecrets(url: string): string {
  return url
    .replace(/\/\/[^/@]*@/, '//')
    .replace(/[?#].*$/, '')
    .slice(0, 256);
}
