import type { Word } from '../arguments.ts';
import { judgeCode } from '../code.ts';
import { judgeCrontab } from '../written-file.ts';
import { xorDecoded } from '../xor.ts';
import { bounded, type Data, NOTHING, replaceEach, UNKNOWN_DATA, VALUE_LIMIT } from './data.ts';
import { unescapeAnsi } from './escapes.ts';
import type { Machine } from './machine.ts';
import type { Call } from './programs.ts';

/** `alias NAME=TEXT` */
export function runAlias({ words, machine }: Call): Data {
  for (const { text } of words.slice(1)) {
    const equals = text.indexOf('=');
    if (equals > 0) machine.aliases.set(text.slice(0, equals), text.slice(equals + 1));
  }
  return NOTHING;
}

/** `read A B`: a field each, the rest to the last. */
export function runRead({ words, stdin, machine }: Call): Data {
  const names = words.slice(1).filter(({ text }) => /^[A-Za-z_]\w*$/.test(text));
  const [line] = (stdin.text ?? '').split('\n', 1);
  const fields = (line ?? '').trim().split(/\s+/);
  for (const [at, { text }] of names.entries()) {
    if (stdin.text === undefined) continue;
    machine.scope.set(text, at === names.length - 1 ? fields.slice(at).join(' ') : (fields[at] ?? ''));
  }
  return NOTHING;
}

/** `set -- WORDS` gives a script its arguments. */
export function runSet({ words, machine }: Call): Data {
  const dashes = words.findIndex(({ text }) => text === '--');
  if (dashes > 0) machine.scope.positional = words.slice(dashes + 1).map(({ text }) => text);
  return NOTHING;
}

/** awk runs shell text through system() and pipes. */
export function runAwk({ words, stdin, machine }: Call): Data {
  const program = words.slice(1).find(({ text }) => !text.startsWith('-') && text.includes('{'));
  if (program) judgeCode(program.text, program.path, machine);
  const letters = program && /%c/.test(program.text) ? lettersOf(stdin.text ?? '') : undefined;
  return letters === undefined ? UNKNOWN_DATA : { text: letters, decoded: true };
}

/** Numbers that become a letter each, also when a key is put on all of them. */
function lettersOf(text: string): string | undefined {
  const numbers = text
    .trim()
    .split(/[\s,:]/, 8192)
    .filter((number) => number !== '');
  if (numbers.length < 6 || !numbers.every((number) => /^\d{1,3}$/.test(number))) return undefined;
  const letters = String.fromCharCode(...numbers.map((number) => Number(number) & 0xff));
  return xorDecoded(letters, []) ?? letters;
}

/** `s/TEXT/TEXT/` without patterns but the two ends of a line; what else sed does is not known here. */
export function runSed({ words, stdin }: Call): Data {
  const expression = words.slice(1).find(({ text }) => /^s(.)/.test(text));
  const isExtended = words.some(({ text }) => /^-[a-zA-Z]*[Er]|^--regexp-extended/.test(text));
  const parts = expression && substitutionOf(expression, isExtended);
  if (!parts || stdin.text === undefined) return { ...stdin, text: undefined };
  const { from, to, all } = parts;
  const change = (line: string): string => {
    if (from.startsWith('^')) return line.startsWith(from.slice(1)) ? to + line.slice(from.length - 1) : line;
    if (from.endsWith('$'))
      return line.endsWith(from.slice(0, -1)) ? line.slice(0, 1 - from.length) + to : line;
    return all ? replaceEach(line, from, to) : line.replace(from, () => to);
  };
  let text = '';
  for (const [at, line] of stdin.text.split('\n').entries()) {
    text += at === 0 ? change(line) : `\n${change(line)}`;
    if (text.length > VALUE_LIMIT) break;
  }
  return { text: bounded(text), decoded: true };
}

function substitutionOf(
  { text }: Word,
  isExtended: boolean,
): { from: string; to: string; all: boolean } | undefined {
  const [, from = '', to = '', flags = '', ...rest] = text.split(text[1] as string);
  // A plus is itself in a basic expression.
  const plain =
    /^\^?[\w ,:;=/@#%+-]+\$?$/.test(from) &&
    !(isExtended && from.includes('+')) &&
    /^[\w .,:;=/@#%+-]*$/.test(to);
  return plain && rest.length === 0 ? { from, to, all: flags.includes('g') } : undefined;
}

/** `cut -cN-M` and `cut -dX -fN`. */
export function runCut({ words, stdin }: Call): Data {
  if (stdin.text === undefined) return stdin;
  const options = words
    .slice(1)
    .map(({ text }) => text)
    .join(' ');
  const [, unit = '', from = '1', dash, to] = /(?:^|\s)-([cbf])\s?(\d{0,5})(-?)(\d{0,5})/.exec(options) ?? [];
  const separator = /(?:^|\s)-d\s?(\S| )/.exec(options)?.[1] ?? '\t';
  const start = Math.max(Number(from), 1) - 1;
  const end = to ? Number(to) : dash ? undefined : start + 1;
  if (unit === '') return { ...stdin, text: undefined };
  const change = (line: string): string =>
    unit === 'f'
      ? line.split(separator).slice(start, end).join(separator)
      : [...line].slice(start, end).join('');
  return { text: stdin.text.split('\n').map(change).join('\n'), decoded: true };
}

/** SQL that PostgreSQL hands to a shell: `COPY … FROM PROGRAM '…'`. */
export function runPsql({ words, stdin, machine }: Call): Data {
  for (const { text, path } of words.slice(1)) judgeSql(text, path, machine);
  if (stdin.text !== undefined) judgeSql(stdin.text, machine.path, machine);
  return UNKNOWN_DATA;
}

/** Folders whose files run by themselves. */
const RUNNING_FOLDER = /^\/(?:etc\/cron|var\/spool\/cron|root\/\.ssh|home\/[\w-]+\/\.ssh)/;

/** redis-cli can make a server write a crontab: lines of cron in what it sets, in a folder of cron. */
export function runRedis({ words, stdin, machine }: Call): Data {
  for (const text of [...words.slice(1).map(({ text }) => text), stdin.text ?? ''])
    if (/\*\s+\*\s/.test(text)) judgeCrontab(unescapeAnsi(text), machine);
  const folder = words.slice(1).find(({ text }) => RUNNING_FOLDER.test(text));
  if (folder && words.some(({ text }) => /^config$/i.test(text))) {
    const message = 'It has a server write what runs by itself.';
    machine.docket.report('lateral-movement', folder.path, message, folder.text, 80);
  }
  return UNKNOWN_DATA;
}

export function judgeSql(text: string, path: string, machine: Machine): void {
  for (const [, command = ''] of text.matchAll(/\bPROGRAM\s+'((?:[^']|'')*)'/gi)) {
    machine.runScript(command.replaceAll("''", "'"), path);
  }
}
