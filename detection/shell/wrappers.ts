import type { Word } from '../arguments.ts';
import { judgeForward } from '../download.ts';
import { judgeEnvironment, type Variable } from '../environment.ts';
import { nameIn } from '../names.ts';
import { fold } from '../text.ts';
import { type Data, replaceEach } from './data.ts';
import type { Machine } from './machine.ts';

interface Wrapper {
  /** Short options that take a value, and long ones that take it as a word of its own. */
  valued: string;
  long?: readonly string[];
  /** Words before the command: a duration, a folder, a user. */
  skip?: number;
}

const SSH_VALUED = 'bcDEeFIiJLlmOopQRSWw';

/** Programs that run the command in their arguments, by their manual pages. */
const WRAPPERS: Record<string, Wrapper> = {
  env: { valued: 'uC', long: ['--unset', '--chdir'] },
  nohup: { valued: '' },
  setsid: { valued: '' },
  nice: { valued: 'n', long: ['--adjustment'] },
  ionice: { valued: 'cn', long: ['--class', '--classdata'] },
  chrt: { valued: 'TPD', skip: 1 },
  taskset: { valued: '', skip: 1 },
  numactl: { valued: 'NCmip' },
  timeout: { valued: 'sk', long: ['--signal', '--kill-after'], skip: 1 },
  time: { valued: 'fo' },
  stdbuf: { valued: 'ioe' },
  unbuffer: { valued: '' },
  sudo: { valued: 'ugphCDRTU', long: ['--user', '--group'] },
  doas: { valued: 'uC' },
  gosu: { valued: '', skip: 1 },
  'su-exec': { valued: '', skip: 1 },
  setpriv: { valued: '', long: ['--reuid', '--regid'] },
  chpst: { valued: 'ubeom' },
  's6-setuidgid': { valued: '', skip: 1 },
  chroot: { valued: '', skip: 1 },
  nsenter: { valued: 'tSG', long: ['--target', '--setuid', '--setgid'] },
  unshare: { valued: 'SG', long: ['--setuid', '--setgid', '--root', '--wd'] },
  flock: { valued: 'wEc', skip: 1 },
  exec: { valued: 'a' },
  command: { valued: '' },
  builtin: { valued: '' },
  busybox: { valued: '' },
  toybox: { valued: '' },
  tini: { valued: 'pe' },
  'dumb-init': { valued: 'r' },
  catatonit: { valued: '' },
  strace: { valued: 'eopsuEPOSXIb' },
  ltrace: { valued: 'eopsuaAln' },
  proot: { valued: 'rbqwk' },
  'systemd-run': { valued: 'EpMHu', long: ['--unit', '--property', '--slice'] },
  cpulimit: { valued: 'lpPec' },
  setarch: { valued: '', skip: 1 },
  linux64: { valued: '' },
  eatmydata: { valued: '' },
  screen: { valued: 'SscehpTt' },
  watch: { valued: 'nq', long: ['--interval'] },
  xargs: { valued: 'nPILdsaE', long: ['--max-args', '--max-procs', '--replace', '--delimiter'] },
  parallel: { valued: 'jIaN', long: ['--jobs'] },
  ssh: { valued: SSH_VALUED, skip: 1 },
  autossh: { valued: `M${SSH_VALUED}`, skip: 1 },
  torsocks: { valued: 'aPup' },
  torify: { valued: '' },
  proxychains: { valued: 'f' },
  proxychains4: { valued: 'f' },
  daemonize: { valued: 'acepolu' },
};

export function isWrapper(name: string): boolean {
  return wrapperOf(name) !== undefined;
}

/** Scripts of images that run the command they are given: docker-entrypoint.sh, entrypoint, run-with-env. */
const ENTRYPOINT = /entrypoint|^(start|run|launch|init|wrapper)(\.sh)?$/;

/** The dynamic loader runs the program that it is given (ld.so(8)): of glibc and of musl. */
const LOADER = /^ld(?:-linux[\w-]*|-musl-[\w-]*)?\.so(?:\.\d+)?$/;
const LOADER_OPTIONS: Wrapper = {
  valued: '',
  long: ['--library-path', '--preload', '--argv0', '--audit', '--inhibit-rpath', '--glibc-hwcaps-prepend'],
};

const NESTING_LIMIT = 10;

/**
 * The command that would run in the end, without `env`, `nohup`, `timeout` and their kin. A command that
 * carries a whole script in one word (`watch "a | b"`) becomes `sh -c`.
 */
export function unwrap(words: readonly Word[], stdin: Data, machine: Machine): readonly Word[] {
  let inner = words;
  for (let nesting = 0; nesting < NESTING_LIMIT; nesting++) {
    const first = inner[0];
    if (!first) return inner;
    const name = fold(first.text.slice(first.text.lastIndexOf('/') + 1));
    const wrapper = wrapperOf(name);
    if (!wrapper) {
      const next = inner[1];
      const carries = next !== undefined && ENTRYPOINT.test(name) && /^[\w./-]+$/.test(next.text);
      if (
        carries &&
        nameIn(next.text.slice(next.text.lastIndexOf('/') + 1), machine.docket.indicators)?.kind === 'miner'
      )
        return inner.slice(1);
      return inner;
    }
    if (name === 'nsenter' || name === 'chroot') machine.manner = { ...machine.manner, onNode: true };
    const next = skipOptions(inner, wrapper, name, machine);
    if (name === 'flock' && next[0]?.text === '-c') return asScript(next.slice(1));
    if (name === 'xargs' || name === 'parallel') return withInput(inner, next, stdin);
    if (next.length === 1 && /\s/.test((next[0] as Word).text)) return asScript(next);
    if (next.length === 0) return name === 'busybox' || name === 'exec' ? [] : inner.slice(0, 1);
    inner = name === 'chroot' ? inRoot(inner.at(-next.length - 1), next, machine) : next;
  }
  return inner;
}

/** Under another root a program is the file that was written there: `chroot /host /usr/sbin/x` is /host/usr/sbin/x. */
function inRoot(root: Word | undefined, words: readonly Word[], { scope }: Machine): readonly Word[] {
  const [program, ...rest] = words;
  if (!root || !program?.text.startsWith('/')) return words;
  const text = `${root.text}${program.text}`;
  return scope.read(text) ? [{ ...program, text }, ...rest] : words;
}

function wrapperOf(name: string): Wrapper | undefined {
  if (Object.hasOwn(WRAPPERS, name)) return WRAPPERS[name];
  return LOADER.test(name) ? LOADER_OPTIONS : undefined;
}

function skipOptions(
  words: readonly Word[],
  wrapper: Wrapper,
  name: string,
  machine: Machine,
): readonly Word[] {
  const variables: Variable[] = [];
  let at = 1;
  for (; at < words.length; at++) {
    const { text, path } = words[at] as Word;
    if (name === 'env' && /^[A-Za-z_]\w*=/.test(text)) {
      const end = text.indexOf('=');
      variables.push({ name: text.slice(0, end), value: text.slice(end + 1), path });
      machine.scope.set(text.slice(0, end), text.slice(end + 1));
    } else if (name === 'env' && /^(-S|--split-string=?)/.test(text)) {
      const whole = text.replace(/^(-S|--split-string=?)/, '') || (words[at + 1]?.text ?? '');
      return [
        ...whole
          .trim()
          .split(/\s+/)
          .map((part) => ({ text: part, path })),
        ...words.slice(at + 2),
      ];
    } else if (text === '--') {
      at++;
      break;
    } else if (text.startsWith('--')) {
      if (wrapper.long?.includes(text)) at++;
    } else if (text.startsWith('-') && text.length > 1) {
      if (name.endsWith('ssh') && /[LR]$/.test(text)) judgeForward(words[at + 1], machine);
      if (name === 'exec' && text === '-a') machine.judgeAlias(words[at + 1]);
      if (wrapper.valued.includes(text.at(-1) as string) && takesNext(text, wrapper)) at++;
    } else break;
  }
  // What it starts is told by them, whoever it is.
  if (at < words.length) judgeEnvironment(variables, machine.docket);
  return words.slice(at + (wrapper.skip ?? 0));
}

/** What only a shell or a download would be: `bash -c`, `curl https://`. */
const SHELL = /^(?:.*\/)?(?:ba|da|a|z|k)?sh$/;
const FETCH = /^(?:.*\/)?(?:curl|wget)$/;
const [H, L, T] = [0x68, 0x6c, 0x74];

/** The command in the arguments of a program that nobody here knows: `mpirun -np 64 bash -c SCRIPT`. */
export function carriedCommand(words: readonly Word[]): readonly Word[] | undefined {
  for (let at = 1; at < words.length - 1; at++) {
    const { text } = words[at] as Word;
    // Most words are done with here.
    const last = text.charCodeAt(text.length - 1);
    if (last !== H && last !== L && last !== T) continue;
    const next = (words[at + 1] as Word).text;
    if (SHELL.test(text) ? /^-[a-z]*c$/.test(next) : FETCH.test(text) && /^-|:\/\//.test(next))
      return words.slice(at);
  }
  return undefined;
}

/** `-u root` takes the next word, `-uroot` does not. */
function takesNext(text: string, { valued }: Wrapper): boolean {
  const first = [...text.slice(1)].findIndex((letter) => valued.includes(letter));
  return first === text.length - 2;
}

function asScript(words: readonly Word[]): readonly Word[] {
  const [script] = words;
  return script ? [{ text: 'sh', path: script.path }, { text: '-c', path: script.path }, script] : [];
}

/** xargs puts its input behind the command, or in the place that -I names. */
function withInput(all: readonly Word[], command: readonly Word[], stdin: Data): readonly Word[] {
  const first = command[0] ?? all[0];
  if (!first) return [];
  const flag = all.findIndex(({ text }) => /^-(I|i|-replace)/.test(text));
  const input = stdin.text ?? '';
  if (flag >= 0 && flag < all.length - command.length) {
    const glued = (all[flag] as Word).text.replace(/^-(I|i|-replace=?)/, '');
    const place = glued || (all[flag + 1]?.text ?? '{}');
    return command.map(({ text, path }) => ({ text: replaceEach(text, place, input.trim()), path }));
  }
  const more = input.split(/\s+/, 64).filter(Boolean);
  return [...command, ...more.map((text) => ({ text, path: first.path }))];
}
