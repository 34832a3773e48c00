import { baseName } from '../base-name.ts';
import type { Image } from '../image.ts';
import type { Process } from '../processes.ts';

/** Something that came from the network a moment ago. */
export interface Download {
  /** Nanoseconds after boot. */
  at: number;
  url: string;
  /** Base names of the files that it may be in; empty when it goes on to whoever reads the pipe. */
  files: Set<string>;
  /** Path of the first of them as the process saw it, where that is known. */
  path?: string | undefined;
  process: Process;
  /** Somebody who connected: what was fetched, and where to, is not known. */
  isGuess: boolean;
  /** It was unpacked: into what, nobody says. */
  isUnpacked?: boolean;
}

/** Where a descriptor of a process leads to, as /proc shows it; undefined when that cannot be seen (any more). */
export type Descriptor = (pid: number, descriptor: 0 | 1) => string | undefined;

/** What /proc tells about living processes. */
export interface Surroundings {
  descriptor: Descriptor;
  /** A path as the process sees it, made absolute where its working directory can be seen. */
  absolute: (pid: number, path: string) => string;
}

const DOWNLOADERS = /^(?:curl|wget2?|fetch|aria2c|axel|ftpget|tftp|lwp-download|lwp-request|http|https)$/;
const SHELLS = /^(?:ba|da|a|z|k|fi)?sh$/;
const INTERPRETERS = /^(?:(?:ba|da|a|z|k|fi)?sh|busybox|python[\d.]*|perl[\d.]*|node|php[\d.]*|ruby[\d.]*)$/;
const RENAMES = /^(?:mv|cp|ln|install)$/;
/** What turns a file into others, without saying which. */
const UNPACKERS =
  /^(?:tar|bsdtar|unzip|7z[ar]?|cpio|ar|gunzip|gzip|bunzip2|unxz|xz|unzstd|zstd|base64|base32|xxd|uudecode|openssl|dd)$/;

/** What writes out what it reads, changed or not. */
const FILTERS = /^(?:cat|tac|tee|sed|tr|rev|head|tail|cut|[gm]?awk|iconv)$/;

/** The dynamic loader, which runs the program that it is given. */
const LOADER = /^ld(?:-linux[\w-]*|-musl-\w+|64|)?\.so(?:\.\d)?$/;

/** What a downloader was told to fetch. */
export function downloadOf(process: Process, at: number, around: Surroundings): Download | undefined {
  const [command, ...args] = appletOf(process);
  if (command === undefined || !DOWNLOADERS.test(command)) return undefined;
  const url =
    args.find((argument) => argument.includes('://')) ?? args.findLast((one) => !one.startsWith('-'));
  if (url === undefined) return undefined;
  const file = outputOf(command, args, url) ?? fileOf(around.descriptor(process.pid, 1));
  const files = new Set(file === undefined ? [] : [baseName(file)]);
  const path = file && around.absolute(process.pid, file);
  return { at, url: withoutSecrets(url), files, path, process, isGuess: false };
}

/** Base names of the operands of `mv FROM TO` and its kin. */
export function renameOf(process: Process): [from: string, to: string] | undefined {
  const [command = '', ...args] = appletOf(process);
  if (!RENAMES.test(command)) return undefined;
  const [from, to, ...others] = args.filter((one) => !one.startsWith('-'));
  return from !== undefined && to !== undefined && others.length === 0
    ? [baseName(from), baseName(to)]
    : undefined;
}

/** What a shell or another interpreter is given to run. */
export type Script = { kind: 'pipe' } | { kind: 'file'; path: string } | { kind: 'text'; text: string };

/** Undefined for what is no interpreter, and for one that a person types into. */
export function scriptOf(process: Process, descriptor: Descriptor): Script | undefined {
  const [command = '', ...args] = appletOf(process);
  if (LOADER.test(command)) return loadedBy(args);
  if (!INTERPRETERS.test(command)) return undefined;
  const isShell = SHELLS.test(command);
  for (const [index, argument] of args.entries()) {
    if (isShell && /^-\w*c$/.test(argument)) return { kind: 'text', text: args[index + 1] ?? '' };
    // Its own code, or a module, that works on what comes.
    if (!isShell && /^-(?:c|e|E|m|r|p)$|^--(?:eval|print)$/.test(argument)) return undefined;
    if (argument === '--' || (isShell && /^-\w*s$/.test(argument))) break;
    if (argument.startsWith('-') && argument !== '-') continue;
    const isPipe = argument === '-' || /^\/(?:dev|proc\/self)\/fd\/\d+$|^\/dev\/stdin$/.test(argument);
    return isPipe ? { kind: 'pipe' } : { kind: 'file', path: argument };
  }
  const input = descriptor(process.pid, 0);
  const file = fileOf(input);
  if (file !== undefined) return { kind: 'file', path: file };
  const isPipe = input === undefined ? isShell : isStream(input);
  return isPipe && command !== 'busybox' ? { kind: 'pipe' } : undefined;
}

/** Options of the dynamic loader with a value behind them (ld.so(8)). */
const LOADER_VALUE = /^--(?:library-path|inhibit-rpath|preload|audit|argv0|glibc-hwcaps-\w+)$/;

function loadedBy(args: readonly string[]): Script | undefined {
  const path = args.find((one, index) => !one.startsWith('-') && !LOADER_VALUE.test(args[index - 1] ?? ''));
  return path === undefined ? undefined : { kind: 'file', path };
}

/** Base names of everything that a command is told, behind `if=`, `--input=` and their kin too. */
export function operandsOf(process: Process): string[] {
  return process.image.argv.slice(1).map((argument) => baseName(argument.replace(/^[^/=]*=/, '')));
}

/** Where what a process writes goes: to a file, by its path, or on through a pipe. Undefined: elsewhere, or not known. */
export function sinkOf(output: string | undefined): { file: string } | 'pipe' | undefined {
  const file = fileOf(output);
  if (file !== undefined) return { file };
  return output !== undefined && isStream(output) ? 'pipe' : undefined;
}

export function isDownloader({ image }: Process): boolean {
  const [command = ''] = appletOf({ image });
  return DOWNLOADERS.test(command);
}

export function isFilter({ image }: Process): boolean {
  const [command = ''] = appletOf({ image });
  return FILTERS.test(command);
}

export function isUnpacker({ image }: Process): boolean {
  const [command = ''] = appletOf({ image });
  return UNPACKERS.test(command);
}

/** Whether it neither downloads, renames nor interprets. */
export function isBystander(image: Image): boolean {
  const [command = ''] = appletOf({ image });
  return !DOWNLOADERS.test(command) && !RENAMES.test(command) && !isInterpreter(image);
}

export function isStream(link: string): boolean {
  return /^(?:pipe|socket):/.test(link);
}

export function isInterpreter(image: Image): boolean {
  const [command = ''] = appletOf({ image });
  return INTERPRETERS.test(command) || INTERPRETERS.test(image.comm);
}

/** Name of the command and its arguments, through `busybox NAME ...` and symbolic links to it. */
function appletOf({ image: { exe, argv } }: Pick<Process, 'image'>): string[] {
  const [first = exe, ...rest] = argv;
  if (baseName(first) === 'busybox' && rest[0] !== undefined) return [baseName(rest[0]), ...rest.slice(1)];
  const base = baseName(exe);
  return [base === 'busybox' ? baseName(first).replace(/^-/, '') : base, ...rest];
}

/** The file that the arguments name; undefined for standard output. */
function outputOf(command: string, args: readonly string[], url: string): string | undefined {
  const isCurl = command === 'curl';
  const takesFile = isCurl ? /^(?:-\w*o|--output)$/ : /^(?:-\w*[oO]|--output-document|--out)$/;
  const glued = isCurl
    ? /^(?:--output=|-[a-zA-Z]*?o)(.+)$/
    : /^(?:--output-document=|--out=|-[a-zA-Z]*?[oO])(.+)$/;
  for (const [index, argument] of args.entries()) {
    const file = takesFile.test(argument) ? args[index + 1] : glued.exec(argument)?.[1];
    if (file !== undefined && file !== url) return file === '-' || file === '/dev/stdout' ? undefined : file;
  }
  const named =
    command !== 'curl' ||
    args.some((argument) => /^(?:-[a-zA-Z]*O[a-zA-Z]*|--remote-name(?:-all)?)$/.test(argument));
  return named ? baseName(url.replace(/[?#].*$/, '')) || undefined : undefined;
}

/** A regular file, not a device, a pipe or a socket. */
function fileOf(link: string | undefined): string | undefined {
  return link !== undefined && /^\/(?!dev\/(?!shm\/)|proc\/)/.test(link) ? link : undefined;
}

/** Addresses may carry a password or a signature; neither belongs into a report. */
function withoutSecrets(url: string): string {
  return url
    .replace(/\/\/[^/@]*@/, '//')
    .replace(/[?#].*$/, '')
    .slice(0, 256);
}
