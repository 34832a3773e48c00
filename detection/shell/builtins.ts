import type { Word } from '../arguments.ts';
import { judgeCode } from '../code.ts';
import { type Data, NOTHING, UNKNOWN_DATA } from './data.ts';
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
export function runAwk({ words, machine }: Call): Data {
  const program = words.slice(1).find(({ text }) => !text.startsWith('-') && text.includes('{'));
  if (program) judgeCode(program.text, program.path, machine);
  return UNKNOWN_DATA;
}

/** `s/TEXT/TEXT/` without patterns; what else sed does is not known here. */
export function runSed({ words, stdin }: Call): Data {
  const expression = words.slice(1).find(({ text }) => /^s(.)/.test(text));
  const parts = expression && substitutionOf(expression);
  if (!parts || stdin.text === undefined) return { ...stdin, text: undefined };
  const { from, to, all } = parts;
  return {
    text: all ? stdin.text.replaceAll(from, () => to) : stdin.text.replace(from, () => to),
    decoded: true,
  };
}

function substitutionOf({ text }: Word): { from: string; to: string; all: boolean } | undefined {
  const [, from = '', to = '', flags = '', ...rest] = text.split(text[1] as string);
  const plain = /^[\w ,:;=/@#%-]+$/.test(from) && /^[\w .,:;=/@#%-]*$/.test(to);
  return plain && rest.length === 0 ? { from, to, all: flags.includes('g') } : undefined;
}
