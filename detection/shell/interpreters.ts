import type { Word } from '../arguments.ts';
import { judgeCode } from '../code.ts';
import { judgeDownloadedRun, judgeHanded, judgeUrl } from '../download.ts';
import { judgeProgram, SCRATCH } from '../program.ts';
import { UNKNOWN } from '../text.ts';
import { judgeCrontab } from '../written-file.ts';
import { type Data, NOTHING, UNKNOWN_DATA } from './data.ts';
import { decodeBase64 } from './decode.ts';
import type { Machine } from './machine.ts';
import type { Call } from './programs.ts';
import { FOLDERS } from './scope.ts';

/** `sh -c TEXT`, `sh FILE`, or a script on standard input. */
export function runShell({ words, stdin, machine }: Call): Data {
  for (let at = 1; at < words.length; at++) {
    const word = words[at] as Word;
    if (/^-[a-zA-Z]*c[a-zA-Z]*$/.test(word.text)) {
      const script = words.slice(at + 1).findIndex(({ text }) => !/^[-+]/.test(text)) + at + 1;
      return script > at
        ? runText(words[script] as Word, words.slice(script + 1), stdin, machine)
        : UNKNOWN_DATA;
    }
    if (/^(-o|\+o|-O|--rcfile|--init-file)$/.test(word.text)) at++;
    else if (word.text === '-s') {
      judgeHanded(stdin, words.slice(at + 1), machine);
      break;
    } else if (!/^[-+]/.test(word.text) || word.text === '-') {
      return word.text === '-'
        ? runInput(words[0] as Word, stdin, machine)
        : runScriptFile(words.slice(at), machine);
    }
  }
  return runInput(words[0] as Word, stdin, machine);
}

/** A script in a word; the words behind it are `$0`, `$1` and so on. */
function runText(word: Word, more: readonly Word[], stdin: Data, machine: Machine): Data {
  const { made } = machine;
  if (made?.downloadedFrom && word.text.includes(UNKNOWN)) judgeDownloadedRun(made, word.path, machine, true);
  if (made?.decoded) reportEncoded(made, word.path, machine);
  const outer = machine.scope.program;
  machine.scope.program = more[0]?.text ?? outer;
  const output = withArguments(more.slice(1), machine, () => machine.runScript(word.text, word.path, stdin));
  machine.scope.program = outer;
  return output;
}

function runInput({ path }: Word, stdin: Data, machine: Machine): Data {
  if (stdin.decoded) reportEncoded(stdin, path, machine);
  if (stdin.downloadedFrom) judgeDownloadedRun(stdin, path, machine, true);
  return stdin.text === undefined ? UNKNOWN_DATA : machine.runScript(stdin.text, machine.path || path);
}

function runScriptFile(words: readonly Word[], machine: Machine): Data {
  judgeProgram(words, machine);
  return runFile(words, machine);
}

/** A program by its path. When an earlier command wrote the file, what it wrote is what runs. */
export function runFile(words: readonly Word[], machine: Machine): Data {
  const { text, path } = words[0] as Word;
  const data = fileOf(text, machine) ?? fromArchive(text, machine);
  if (data?.downloadedFrom) {
    judgeDownloadedRun(data, path, machine, text.startsWith('/dev/fd/'));
    judgeHanded(data, words.slice(1), machine);
    const at = machine.scope.resolve(text);
    if (HIDDEN.test(at)) {
      const score = SCRATCH.test(at) ? 60 : 50;
      machine.docket.report('hidden-path', path, 'It runs a hidden file that it downloaded.', text, score);
    }
  }
  if (data?.decoded) reportEncoded(data, path, machine);
  if (data?.text === undefined) return UNKNOWN_DATA;
  const script = data.text;
  if (/^#!.*\b(python|perl|node|ruby|php)/.test(script)) {
    judgeCode(script, path, machine);
    return UNKNOWN_DATA;
  }
  return withArguments(words.slice(1), machine, () => machine.runScript(script, machine.path || path));
}

const HIDDEN = /\/\.[^/]+(\/[^/]*)?$|^\/dev\/(shm|mqueue)\//;

function fileOf(text: string, { scope }: Machine): Data | undefined {
  if (text.includes('/')) return scope.read(text);
  return scope.read(text) ?? FOLDERS.map((folder) => scope.read(`${folder}${text}`)).find((data) => data);
}

/** What was unpacked from a downloaded archive lies below the folder at hand. */
function fromArchive(text: string, { unpacked }: Machine): Data | undefined {
  return unpacked && (text.startsWith('./') || /^[^/]+\/|^\/(tmp|var\/tmp|dev\/shm)\//.test(text))
    ? unpacked
    : undefined;
}

function withArguments(words: readonly Word[], machine: Machine, run: () => Data): Data {
  const outer = machine.scope.positional;
  machine.scope.positional = words.map(({ text }) => text);
  const output = run();
  machine.scope.positional = outer;
  return output;
}

function reportEncoded(data: Data, path: string, { docket }: Machine): void {
  // What cannot be read could be anything, and nobody seals a script to share it.
  if (data.sealed || (data.text !== undefined && isBinary(data.text)))
    docket.report(
      'encoded-script',
      path,
      'It runs a text that is sealed, or a program in a text.',
      undefined,
      80,
    );
  else docket.report('encoded-script', path, 'It decodes a text and runs it as a script.');
}

/** No script has these in its first line; what is shorter is a placeholder. */
function isBinary(text: string): boolean {
  if (text.length < 24) return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return /[\x00-\x08\x0e-\x1a\x1c-\x1f]/.test(text.slice(0, 64));
}

export function runEval({ words, stdin, machine }: Call): Data {
  const text = words
    .slice(1)
    .map((word) => word.text)
    .join(' ');
  const first = words[1];
  return first ? runText({ text, path: first.path }, [], stdin, machine) : NOTHING;
}

/** `. FILE` */
export function runDot({ words, machine }: Call): Data {
  return words.length > 1 ? runFile(words.slice(1), machine) : NOTHING;
}

/** `find … -exec COMMAND ;` */
export function runFind({ words, machine }: Call): Data {
  const from = words.findIndex(({ text }) => /^-(exec|execdir|ok)$/.test(text));
  if (from < 0) return UNKNOWN_DATA;
  const length = words.slice(from).findIndex(({ text }) => text === ';' || text === '+');
  machine.call(words.slice(from + 1, length < 0 ? undefined : from + length));
  return UNKNOWN_DATA;
}

export function runTrap({ words, machine }: Call): Data {
  const script = words[1];
  return script && /\s/.test(script.text) ? machine.runScript(script.text, script.path) : NOTHING;
}

/** `python -c CODE`, `node -e CODE`, a script file, or code on standard input. */
export function runCode({ words, stdin, machine }: Call): Data {
  const at = words.findIndex(
    ({ text }, index) => index > 0 && /^(-[a-zA-Z]*[ceE]|-r|--eval|--execute|eval)$/.test(text),
  );
  const code = at > 0 ? words[at + 1] : undefined;
  if (code) {
    const { made } = machine;
    if (made?.downloadedFrom && code.text.includes(UNKNOWN))
      judgeDownloadedRun(made, code.path, machine, true);
    const piped = decodedInput(code.text, stdin);
    if (piped) return piped;
    // `perl -MLWP::Simple -e CODE`
    const modules = words
      .filter(({ text }) => /^-[Mm][A-Z]/.test(text))
      .map(({ text }) => `use ${text.slice(2)};`);
    return judgeCode([...modules, code.text].join(' '), code.path, machine);
  }
  // `deno run ADDRESS`
  const remote = words.slice(1).find(({ text }) => /^https?:\/\//.test(text));
  if (remote && /(?:^|\/)(?:deno|bun)$/.test(words[0]?.text ?? '')) {
    judgeUrl(remote, machine);
    judgeDownloadedRun({ downloadedFrom: [remote.text] }, remote.path, machine, true);
    return UNKNOWN_DATA;
  }
  const file = words.slice(1).findIndex(({ text }) => !text.startsWith('-') || text === '-') + 1;
  if (file > 0 && words[file]?.text !== '-') {
    judgeProgram(words.slice(file), machine);
    const data =
      machine.scope.read((words[file] as Word).text) ?? fromArchive((words[file] as Word).text, machine);
    if (data?.downloadedFrom) judgeDownloadedRun(data, (words[file] as Word).path, machine, false);
    if (data?.text !== undefined) judgeCode(data.text, machine.path, machine);
    return UNKNOWN_DATA;
  }
  if (stdin.decoded) reportEncoded(stdin, machine.path, machine);
  if (stdin.downloadedFrom) judgeDownloadedRun(stdin, machine.path, machine, true);
  return stdin.text === undefined ? UNKNOWN_DATA : judgeCode(stdin.text, machine.path, machine);
}

/** Programs that carry a command in one of their arguments, each in its own way. */
export function runNested(call: Call): Data {
  const { words, machine } = call;
  const name = (words[0] as Word).text.replace(/^.*\//, '');
  if (name === 'crontab' || name === 'at' || name === 'batch') return runLater(name, call);
  const dashes = words.findIndex(({ text }, at) => at > 0 && text === '--');
  const script = words.findIndex(({ text }, at) => at > 0 && /^(-[a-z]*c|--command)$/.test(text));
  if (/^(su|runuser|script|capsh|sg)$/.test(name)) {
    const word = words[script + 1] ?? words.find(({ text }) => text.startsWith('--command='));
    return script > 0 && word
      ? machine.runScript(word.text.replace(/^--command=/, ''), word.path)
      : UNKNOWN_DATA;
  }
  if (/^(tmux|start-stop-daemon)$/.test(name)) return runDetached(words, dashes, machine);
  return machine.runContainer(words, dashes);
}

function runDetached(words: readonly Word[], dashes: number, machine: Machine): Data {
  const exec = words.findIndex(
    ({ text }) => text === '-x' || text === '--exec' || text === '-a' || text === '--startas',
  );
  if (exec > 0)
    return machine.call([...words.slice(exec + 1, exec + 2), ...(dashes < 0 ? [] : words.slice(dashes + 1))]);
  for (const { text, path } of words.slice(1)) if (/\s/.test(text)) machine.runScript(text, path);
  return UNKNOWN_DATA;
}

/** `crontab FILE` and `at TIME` keep what they are given for later. */
function runLater(name: string, { words, stdin, machine }: Call): Data {
  if (words.some(({ text }) => /^-[lrec]$/.test(text))) return UNKNOWN_DATA;
  const file = name === 'crontab' ? words.slice(1).find(({ text }) => !text.startsWith('-')) : undefined;
  const data = file ? (machine.scope.read(file.text) ?? UNKNOWN_DATA) : stdin;
  machine.docket.report('persistence', words[0]?.path ?? machine.path, `It leaves work to ${name}.`, name);
  if (data.text === undefined) return NOTHING;
  if (name === 'crontab') judgeCrontab(data.text, machine);
  else machine.runScript(data.text, machine.path);
  return NOTHING;
}

/** What is compiled, or read by the compiler's own shell, is going to run. */
export function runCompiler({ words, stdin, machine }: Call): Data {
  for (const { text, path } of words.slice(1)) {
    const source = machine.scope.read(text)?.text;
    if (source !== undefined) judgeCode(source, path, machine);
  }
  if (stdin.text !== undefined) judgeCode(stdin.text, machine.path, machine);
  return UNKNOWN_DATA;
}

/** `java -jar FILE ARGUMENTS`: the file is the program. */
export function runJava({ words, machine }: Call): Data {
  const jar = words.findIndex(({ text }) => text === '-jar');
  if (jar > 0 && jar + 1 < words.length) {
    const [file, ...rest] = words.slice(jar + 1) as [Word, ...Word[]];
    judgeProgram([{ ...file, text: file.text.replace(/\.jar$/i, '') }, ...rest], machine);
  }
  return UNKNOWN_DATA;
}

/** A program of one line that decodes what it reads and prints it. */
function decodedInput(code: string, { text }: Data): Data | undefined {
  if (text === undefined || !/\bSTDIN\b|stdin/i.test(code) || !/b64decode|base64|atob/i.test(code))
    return undefined;
  const decoded = decodeBase64(text);
  return decoded === undefined ? undefined : { text: decoded, decoded: true };
}
