import type { Word } from '../arguments.ts';
import { judgeDownload, judgeMadeExecutable, runGit, runTar } from '../download.ts';
import { nameIn } from '../names.ts';
import { UNKNOWN } from '../text.ts';
import { runAlias, runAwk, runCut, runPsql, runRead, runRedis, runSed, runSet } from './builtins.ts';
import { concatenate, type Data, NOTHING, UNKNOWN_DATA } from './data.ts';
import { decodeBase32, decodeBase64, decodeHex, inflate, unzstd } from './decode.ts';
import { unescapeAnsi } from './escapes.ts';
import {
  runCode,
  runCompiler,
  runDot,
  runEval,
  runFind,
  runJava,
  runNested,
  runShell,
  runTrap,
} from './interpreters.ts';
import { runHelm, runKubectl } from './kubectl.ts';
import type { Machine } from './machine.ts';
import { runPowerShell } from './powershell.ts';
import { isWrapper } from './wrappers.ts';

/** One command with what comes in; it returns what goes out. */
export interface Call {
  words: readonly Word[];
  stdin: Data;
  machine: Machine;
}

type Program = (call: Call) => Data;

const printf: Program = ({ words: given, machine }) => {
  const variable = given[1]?.text === '-v' ? given[2]?.text : undefined;
  const words = variable === undefined ? given : given.slice(2);
  const [format = '', ...rest] = texts(words).filter((text, at) => at > 0 || text !== '--');
  let at = 0;
  let text = '';
  do {
    const start = at;
    text += unescapeAnsi(
      format.replace(/%(%|[-#0 +]*\d*(?:\.\d+)?[a-zA-Z])/g, (_, kind: string) => {
        if (kind === '%') return '%';
        const value = rest[at++] ?? '';
        return (kind.endsWith('b') ? unescapeAnsi(value) : numberAs(value, kind.slice(-1))).replaceAll(
          '\\',
          '\\\\',
        );
      }),
    );
    if (start === at) break;
  } while (at < rest.length && text.length < 65_536);
  if (variable === undefined) return { text };
  machine.scope.set(variable, text);
  return NOTHING;
};

/** A number in the base that a conversion of printf asks for. */
function numberAs(value: string, kind: string): string {
  const base = kind === 'o' ? 8 : kind === 'x' || kind === 'X' ? 16 : undefined;
  if (base === undefined || !/^(?:0x[0-9a-f]+|\d+)$/i.test(value)) return value;
  const digits = Number(value).toString(base);
  return kind === 'X' ? digits.toUpperCase() : digits;
}

/** What DNS answers in text is what somebody else wrote. */
const dig: Program = ({ words }) => {
  const isText = texts(words).some((text) => /^(?:-t|-q=|-type=)?txt$/i.test(text));
  const name = texts(words).find((text) => /^[\w-]+(?:\.[\w-]+)+$/.test(text));
  return isText ? { downloadedFrom: [`dns://${name ?? ''}`] } : UNKNOWN_DATA;
};

const echo: Program = ({ words }) => {
  const all = texts(words);
  const first = all.findIndex((text) => !/^-[neE]+$/.test(text));
  const flags = (first < 0 ? all : all.slice(0, first)).join('');
  const text = (first < 0 ? [] : all.slice(first)).join(' ');
  return { text: `${flags.includes('e') ? unescapeAnsi(text) : text}${flags.includes('n') ? '' : '\n'}` };
};

/** The files that are named, or standard input. */
const cat: Program = ({ words, stdin, machine }) => {
  const files = texts(words).filter((text) => text === '-' || !text.startsWith('-'));
  if (files.length === 0) return stdin;
  return files
    .map((file) => (file === '-' ? stdin : (machine.scope.read(file) ?? UNKNOWN_DATA)))
    .reduce(concatenate, NOTHING);
};

/** `dd if=FILE of=FILE`, without regard to blocks. */
const dd: Program = ({ words, stdin, machine }) => {
  const operand = (name: string) =>
    texts(words)
      .find((text) => text.startsWith(name))
      ?.slice(name.length);
  const [from, to] = [operand('if='), operand('of=')];
  const data =
    from === undefined || from === '/dev/stdin' ? stdin : (machine.scope.read(from) ?? UNKNOWN_DATA);
  if (to === undefined) return data;
  machine.keep(to, data);
  return NOTHING;
};

/** Ciphers of openssl enc. */
const CIPHER = /^-(?:aes|des|bf|rc4|chacha20|camellia|aria|sm4|cast5?|idea|seed)/i;

/** A program that decodes its input when one of the flags is there. */
function decoder(
  decode: (text: string) => string | undefined,
  flags: RegExp,
  /** With such an option it deciphers as well, which is not done here. */
  cipher?: RegExp,
): Program {
  return (call) => {
    const options = texts(call.words).filter((text) => text.startsWith('-'));
    const isCiphered = cipher !== undefined && options.some((text) => cipher.test(text));
    if (flags.source !== '(?:)' && !options.some((text) => flags.test(text))) return UNKNOWN_DATA;
    const files = call.words.filter(
      ({ text }, at) => at === 0 || (!text.startsWith('-') && call.machine.scope.read(text)),
    );
    const input = cat({ ...call, words: files });
    if (input.text === undefined) return { ...input, decoded: true };
    const text = isCiphered ? undefined : decode(input.text);
    if (text !== undefined) return { text, decoded: true };
    // Bytes that a decoder gave may be zero; in a script that is what only run time knows.
    const isKnown = input.decoded || !input.text.includes(UNKNOWN);
    return { decoded: true, sealed: isKnown && input.text.trim() !== '' };
  };
}

const tr: Program = ({ words, stdin }) => {
  const [first = '', second = ''] = texts(words).filter((text) => !/^-[a-z]+$/.test(text));
  if (stdin.text === undefined) return stdin;
  const from = rangeOf(first);
  if (texts(words).some((text) => /^-\w*d/.test(text))) {
    return { ...stdin, text: [...stdin.text].filter((letter) => !from.includes(letter)).join('') };
  }
  const to = rangeOf(second);
  const map = new Map(from.map((letter, at) => [letter, to[Math.min(at, to.length - 1)] ?? letter]));
  return { text: [...stdin.text].map((letter) => map.get(letter) ?? letter).join(''), decoded: true };
};

function rangeOf(set: string): string[] {
  return [...unescapeAnsi(set).matchAll(/(.)-(.)|([\s\S])/gu)].flatMap(([, from, to, single]) => {
    if (from === undefined || to === undefined) return single === undefined ? [] : [single];
    const [low, high] = [from.codePointAt(0) as number, to.codePointAt(0) as number];
    return Array.from({ length: Math.min(Math.max(high - low + 1, 0), 256) }, (_, at) =>
      String.fromCodePoint(low + at),
    );
  });
}

const rev: Program = ({ stdin }) =>
  stdin.text === undefined
    ? stdin
    : {
        text: stdin.text
          .split('\n')
          .map((line) => [...line].reverse().join(''))
          .join('\n'),
        decoded: true,
      };

const tee: Program = ({ words, stdin, machine }) => {
  for (const file of texts(words)) if (!file.startsWith('-')) machine.keep(file, stdin);
  return stdin;
};

const move: Program = ({ words, machine }) => {
  const [from, to] = texts(words).filter((text) => !text.startsWith('-'));
  if (from === undefined || to === undefined) return NOTHING;
  const data = machine.scope.read(from);
  if (!data && isProgram(from, machine)) {
    const base = from.slice(from.lastIndexOf('/') + 1);
    machine.scope.copy(base, to.endsWith('/') ? `${to}${base}` : to);
  }
  if (data) {
    machine.scope.write(to, data);
    machine.scope.write(`${to}/${from.slice(from.lastIndexOf('/') + 1)}`, data);
  }
  return NOTHING;
};

/** Whether a path names something whose arguments mean something here: an interpreter, a wrapper, a miner. */
function isProgram(path: string, { docket }: Machine): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return (
    Object.hasOwn(PROGRAMS, name) || isWrapper(name) || nameIn(name, docket.indicators)?.kind === 'miner'
  );
}

/** What comes from a bare address, or from where anybody may put files, and is made executable, is meant to run. */
const chmod: Program = ({ words, machine }) => {
  const [mode = '', ...files] = words
    .slice(1)
    .filter(({ text }) => !/^-[A-Za-z-]+$/.test(text) || text === '-x');
  if (
    !/^(?:[ugoa]*\+\w*x|0{0,2}[0-7]{0,3}[1357][0-7]{0,3}$)/.test(typeof mode === 'string' ? mode : mode.text)
  )
    return NOTHING;
  for (const { text, path } of files) {
    const data = machine.scope.read(text);
    if (data?.downloadedFrom) judgeMadeExecutable(data, path, machine);
  }
  return NOTHING;
};

const cd: Program = ({ words, machine }) => {
  const folder = texts(words)[0] ?? '/root';
  machine.scope.folder = machine.scope.resolve(folder);
  return NOTHING;
};

const exportVariables: Program = ({ words, machine }) => {
  for (const text of texts(words)) {
    const equals = text.indexOf('=');
    if (equals > 0) machine.scope.set(text.slice(0, equals), text.slice(equals + 1));
  }
  return NOTHING;
};

function texts(words: readonly Word[]): string[] {
  return words.slice(1).map(({ text }) => text);
}

const same: Program = ({ stdin }) => stdin;
const nothing: Program = () => NOTHING;

const base64 = decoder(decodeBase64, /^-(\w*[dD]|-decode)/);
const gunzip = decoder(inflate, /(?:)/);

/** Formats that are not read here. */
const unknown = () => undefined;

/** What is known to be run by name. Everything else is a program with arguments. */
export const PROGRAMS: Record<string, Program> = {
  echo,
  printf,
  print: echo,
  cat,
  tac: cat,
  head: same,
  tail: same,
  dd,
  sed: runSed,
  cut: runCut,
  psql: runPsql,
  'redis-cli': runRedis,
  awk: runAwk,
  gawk: runAwk,
  mawk: runAwk,
  alias: runAlias,
  read: runRead,
  set: runSet,
  tr,
  rev,
  tee,
  base64,
  base32: decoder(decodeBase32, /^-(\w*[dD]|-decode)/),
  xxd: decoder(decodeHex, /^-\w*r/),
  openssl: decoder(decodeBase64, /^-(d|base64|a)$/, CIPHER),
  gunzip,
  ...named(decoder(unzstd, /(?:)/), 'unzstd zstdcat'),
  zstd: decoder(unzstd, /^-\w*d|^--decompress/),
  ...named(decoder(unknown, /(?:)/), 'bunzip2 bzcat unxz xzcat unlzma lzcat uudecode'),
  ...named(decoder(unknown, /^-\w*d|^--decompress/), 'bzip2 xz lzma lz4 brotli'),
  zcat: gunzip,
  gzip: decoder(inflate, /^-\w*d/),
  pigz: decoder(inflate, /^-\w*d/),
  mv: move,
  cp: move,
  ln: move,
  install: move,
  cd,
  pushd: cd,
  export: exportVariables,
  declare: exportVariables,
  readonly: exportVariables,
  local: exportVariables,
  ...named(dig, 'dig host nslookup drill'),
  true: nothing,
  chmod,
  sleep: nothing,
  tar: runTar,
  unzip: runTar,
  git: runGit,
  ...named(runShell, 'sh bash dash ash zsh ksh mksh rbash csh tcsh fish'),
  ...named(
    runCode,
    'python python2 python3 pypy pypy3 ipython micropython perl ruby jruby node nodejs tsx php lua luajit deno bun java dotnet mono wine wine64 wasmtime wasmer',
  ),
  ...named(
    runNested,
    'su runuser script capsh sg tmux docker podman nerdctl crictl ctr start-stop-daemon crontab at batch',
  ),
  ...named(
    judgeDownload,
    'curl wget wget2 fetch aria2c axel lwp-request lwp-download lynx ftpget tftp nc ncat netcat socat get http https',
  ),
  ...named(runKubectl, 'kubectl oc'),
  helm: runHelm,
  ...named(runPowerShell, 'powershell powershell.exe pwsh pwsh.exe'),
  ...named(runCompiler, 'go gcc g++ cc c++ clang tcc rustc javac jshell groovy scala kotlinc'),
  java: runJava,
  eval: runEval,
  source: runDot,
  '.': runDot,
  find: runFind,
  trap: runTrap,
};

function named(program: Program, names: string): Record<string, Program> {
  return Object.fromEntries(names.split(' ').map((name) => [name, program]));
}
