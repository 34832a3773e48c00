import { UNKNOWN } from '../text.ts';
import { bounded, type Data } from './data.ts';

/** Parts the fields of an unquoted expansion, and the items of an array, until words are split. */
export const FIELD = '\x1f';

/** What is set before a script starts, as far as scripts build words from it. */
const DEFAULTS: Record<string, string> = {
  IFS: ' ',
  HOME: '/root',
  SHELL: '/bin/sh',
  PATH: '/usr/bin:/bin',
  USER: 'root',
};

/** Where a program without a path is looked for. */
export const FOLDERS: readonly string[] = [
  '/usr/local/sbin/',
  '/usr/local/bin/',
  '/usr/sbin/',
  '/usr/bin/',
  '/sbin/',
  '/bin/',
];

/** What an absolute path has that is not resolved yet. */
const STEPS = /\/(?:[/.]|$)/;

/** A path of fewer letters has fewer steps. */
const STEP_LIMIT = 64;

/** More variables or files than this are not kept. */
const LIMIT = 4096;

/** The variables and files of a script while it is read. */
export class Scope {
  readonly #variables: Map<string, string>;
  readonly #files: Map<string, Data>;
  readonly #origins = new Map<string, Data>();
  readonly #copies: Map<string, string>;
  /** `$1` and so on. */
  positional: readonly string[] = [];
  /** `$0` */
  program = 'sh';
  /** Where relative paths start; empty while it is not known. */
  folder = '';

  constructor(variables = new Map<string, string>(), before?: Scope) {
    this.#variables = variables;
    this.#files = before ? before.#files : new Map();
    this.#copies = before ? before.#copies : new Map();
  }

  /** The same files with other variables, which it takes for its own. */
  withVariables(variables: Map<string, string>): Scope {
    return new Scope(variables, this);
  }

  /** An unset positional is empty, as in the shell; an unset variable may come with the image, so it is unknown. */
  get(name: string): string {
    if (/^\d$/.test(name)) return name === '0' ? this.program : (this.positional[Number(name) - 1] ?? '');
    if (name === '@' || name === '*') return this.positional.join(FIELD);
    if (name === 'PWD') return this.folder === '' ? UNKNOWN : this.folder;
    return this.#variables.get(name) ?? DEFAULTS[name] ?? UNKNOWN;
  }

  has(name: string): boolean {
    return /^[\d@*]$/.test(name)
      ? this.get(name) !== ''
      : this.#variables.has(name) || Object.hasOwn(DEFAULTS, name);
  }

  /** `origin` is what the value was made from, when that was a download or an encoded text. False when there are too many. */
  set(name: string, value: string, origin?: Data): boolean {
    if (this.#variables.size >= LIMIT && !this.#variables.has(name)) return false;
    this.#variables.set(name, bounded(value));
    if (origin) this.#origins.set(name, origin);
    else this.#origins.delete(name);
    return true;
  }

  /** The values of all variables. */
  get values(): Iterable<string> {
    return this.#variables.values();
  }

  originOf(name: string): Data | undefined {
    return this.#origins.get(name);
  }

  read(path: string): Data | undefined {
    return this.#files.get(this.resolve(path));
  }

  /** False when there are too many. */
  write(path: string, data: Data): boolean {
    const at = this.resolve(path);
    if (this.#files.size >= LIMIT && !this.#files.has(at)) return false;
    this.#files.set(at, data);
    return true;
  }

  /** Notes that the program at `path` is a copy of `original`. */
  copy(original: string, path: string): void {
    if (this.#copies.size < LIMIT)
      this.#copies.set(this.resolve(path), this.originalOf(original) ?? original);
  }

  originalOf(path: string): string | undefined {
    if (this.#copies.size === 0) return undefined;
    const folders = path.includes('/') ? [''] : ['', ...FOLDERS];
    for (const folder of folders) {
      const original = this.#copies.get(this.resolve(`${folder}${path}`));
      if (original !== undefined) return original;
    }
    return undefined;
  }

  /** An absolute path without `.` and `..` steps, or a relative one while the folder is not known. */
  resolve(path: string): string {
    if (path.startsWith('/') && path.length < STEP_LIMIT && !STEPS.test(path)) return path;
    const whole = path.startsWith('/') || this.folder === '' ? path : `${this.folder}/${path}`;
    const steps: string[] = [];
    for (const step of whole.split('/', STEP_LIMIT)) {
      if (step === '' || step === '.') continue;
      if (step === '..') steps.pop();
      else steps.push(step);
    }
    return (whole.startsWith('/') ? '/' : '') + steps.join('/');
  }
}
