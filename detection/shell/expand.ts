import { UNKNOWN } from '../text.ts';
import { calculate } from './arithmetic.ts';
import { bounded, type Data, replaceEach } from './data.ts';
import { unescapeAnsi } from './escapes.ts';
import { FIELD, type Scope } from './scope.ts';
import type { SyntaxNode } from './syntax.ts';

/** What the expansion of words asks of the machine that reads the script. */
export interface Substitution {
  scope: Scope;
  /** Output of `$(…)`, UNKNOWN when only run time knows it. */
  output(node: SyntaxNode): string;
  /** The path under which `<(…)` is read. */
  pipe(node: SyntaxNode): string;
  /** Hears what the words are made from, when that is a download or an encoded text. */
  note(origin: Data | undefined): void;
  /** False once so many letters were put together that the script is followed no further. */
  follow(letters: number): boolean;
}

/** The words that a word of the script becomes: none for an unset variable, several for a list. */
export function expandWords(node: SyntaxNode, machine: Substitution): string[] {
  const braces = node.type === 'concatenation' ? bracesOf(node.text) : undefined;
  if (braces) return braces;
  const whole = bounded(expand(node, machine, false));
  if (whole === '' && (node.type === 'simple_expansion' || node.type === 'expansion')) return [];
  return whole.includes(FIELD) ? whole.split(FIELD).filter((field) => field !== '') : [whole];
}

/** The text that a word becomes where no splitting happens, as in an assignment. */
export function expandText(node: SyntaxNode, machine: Substitution): string {
  if (node.type === 'array') return node.namedChildren.map((item) => expandText(item, machine)).join(FIELD);
  return bounded(expand(node, machine, true));
}

function expand(node: SyntaxNode, machine: Substitution, quoted: boolean): string {
  switch (node.type) {
    case 'raw_string':
      return node.text.slice(1, -1);
    case 'ansi_c_string':
      return unescapeAnsi(node.text.slice(2, -1));
    case 'string':
      return inside(node, machine, 1, -1);
    case 'translated_string':
      return node.namedChildren[0] ? expand(node.namedChildren[0], machine, true) : '';
    case 'concatenation':
    case 'command_name':
      return node.children.length === 0 ? unquote(node.text) : join(node, machine, quoted);
    case 'heredoc_body':
      return inside(node, machine, 0, undefined);
    case 'simple_expansion':
      machine.note(machine.scope.originOf(node.text.slice(1)));
      return fields(machine.scope.get(node.text.slice(1)), quoted, machine);
    case 'expansion':
      return fields(joined(node, bounded(parameter(node, machine)), quoted, machine), quoted, machine);
    case 'command_substitution':
      return fields(machine.output(node).replace(/\n+$/, ''), quoted, machine);
    case 'process_substitution':
      return machine.pipe(node);
    case 'arithmetic_expansion': {
      const expression = node.text.replace(/^\$(?:\(\(|\[)|(?:\)\)|\])$/g, '');
      return `${calculate(expression, (name) => machine.scope.get(name)) ?? UNKNOWN}`;
    }
    default:
      return unquote(node.text);
  }
}

function join(node: SyntaxNode, machine: Substitution, quoted: boolean): string {
  let text = '';
  for (const child of node.children) text = bounded(text + expand(child, machine, quoted));
  return text;
}

/** The text of a quoted node with its expansions replaced; what the grammar leaves between nodes is kept. */
function inside(node: SyntaxNode, machine: Substitution, from: number, to: number | undefined): string {
  const raw = node.text;
  const end =
    to === undefined ? raw.length : raw.endsWith('"') && raw.length > 1 ? raw.length + to : raw.length;
  let text = '';
  let at = from;
  for (const child of node.namedChildren) {
    if (child.type === 'string_content' || child.type === 'heredoc_content') continue;
    const start = child.start - node.start;
    if (start < at) continue;
    text = bounded(text + unescapeDouble(raw.slice(at, start)) + expand(child, machine, true));
    at = child.end - node.start;
  }
  return text + unescapeDouble(raw.slice(at, end));
}

/** `"${name[*]}"` is one word: the items with the first letter of IFS between them. */
function joined(node: SyntaxNode, value: string, quoted: boolean, { scope }: Substitution): string {
  return quoted && value.includes(FIELD) && node.text.includes('[*]')
    ? value.replaceAll(FIELD, scope.get('IFS').slice(0, 1))
    : value;
}

/** `${name…}` with the operators of POSIX and bash that fold without running anything. */
function parameter(node: SyntaxNode, machine: Substitution): string {
  const parts = /^\$\{([!#]?)([A-Za-z_]\w*|[@*#?$!\d-])(?:\[[^\]]*\])?([\s\S]*)\}$/.exec(node.text);
  if (!parts) return UNKNOWN;
  const [, prefix, name = '', rest = ''] = parts;
  const { scope } = machine;
  machine.note(scope.originOf(name));
  if (prefix === '#') return UNKNOWN;
  const whole = prefix === '!' ? scope.get(scope.get(name)) : scope.get(name);
  // Operators read the whole value, whatever they leave of it.
  if (rest !== '' && !machine.follow(whole.length)) return UNKNOWN;
  const value = itemOf(whole, /^\$\{!?\w+\[([^\]]*)\]/.exec(node.text)?.[1]);
  if (rest === '') return value;
  const operand = (skip: number): string => {
    const children = node.namedChildren.filter(
      (child) => !/^(variable_name|special_variable_name|subscript)$/.test(child.type),
    );
    if (children.length === 0) return unquote(rest.slice(skip));
    return children.map((child) => expand(child, machine, true)).join('');
  };
  const [, operator = ''] = /^(:?[-=+?]|:|\/\/?|##?|%%?|,,?|\^\^?|@)/.exec(rest) ?? [];
  const isSet = scope.has(name) && (!operator.startsWith(':') || value !== '');
  switch (operator.replace(/^:(?=.)/, '')) {
    case '-':
    case '?':
      return isSet ? value : operand(operator.length);
    case '=': {
      if (isSet) return value;
      const fallback = operand(operator.length);
      scope.set(name, fallback);
      return fallback;
    }
    case '+':
      return isSet ? operand(operator.length) : '';
    case ':':
      return slice(value, rest);
    case '/':
    case '//':
      return replace(value, rest.slice(operator.length), operator === '//');
    case ',':
    case ',,':
      return value.toLowerCase();
    case '^':
    case '^^':
      return value.toUpperCase();
    case '#':
    case '##':
      return withoutStart(value, unquote(rest.slice(operator.length)), operator === '##');
    case '%':
    case '%%':
      return withoutEnd(value, unquote(rest.slice(operator.length)), operator === '%%');
    default:
      return value;
  }
}

/** `${name[1]}`, and `${name[key]}` where the items were given as `[key]=text`; the whole for `@` and `*`. */
function itemOf(value: string, key: string | undefined): string {
  if (key === undefined || !/^[\w.-]+$/.test(key)) return value;
  const items = value.split(FIELD);
  const named = items.find((item) => item.startsWith(`[${key}]=`));
  if (named !== undefined) return named.slice(key.length + 3);
  return /^\d+$/.test(key) && items.length > 1 ? (items[Number(key)] ?? '') : value;
}

function slice(value: string, rest: string): string {
  const [, from, length] = /^:\s*(-?\d+)\s*(?::\s*(-?\d+)\s*)?$/.exec(rest) ?? [];
  if (from === undefined || value.includes(UNKNOWN)) return UNKNOWN;
  const start = Number(from) < 0 ? Math.max(value.length + Number(from), 0) : Number(from);
  if (length === undefined) return value.slice(start);
  // A negative length counts from the end.
  return value.slice(start, Number(length) < 0 ? Number(length) : start + Number(length));
}

function replace(value: string, rest: string, all: boolean): string {
  const slash = rest.indexOf('/');
  const pattern = unquote(slash < 0 ? rest : rest.slice(0, slash));
  const replacement = slash < 0 ? '' : unquote(rest.slice(slash + 1));
  if (pattern === '') return value;
  return all ? replaceEach(value, pattern, replacement) : value.replace(pattern, () => replacement);
}

/** What `#` and `##` leave: of a literal, of an asterisk before one, of question marks; any other pattern leaves all. */
function withoutStart(value: string, pattern: string, greedy: boolean): string {
  if (/^[?]+$/.test(pattern)) return value.slice(pattern.length);
  if (!pattern.startsWith('*')) return value.startsWith(pattern) ? value.slice(pattern.length) : value;
  const literal = pattern.slice(1);
  const at = greedy ? value.lastIndexOf(literal) : value.indexOf(literal);
  return at < 0 || literal === '' ? value : value.slice(at + literal.length);
}

/** The same from the end, for `%` and `%%`. */
function withoutEnd(value: string, pattern: string, greedy: boolean): string {
  if (/^[?]+$/.test(pattern)) return value.slice(0, Math.max(value.length - pattern.length, 0));
  if (!pattern.endsWith('*'))
    return value.endsWith(pattern) ? value.slice(0, value.length - pattern.length) : value;
  const literal = pattern.slice(0, -1);
  const at = greedy ? value.indexOf(literal) : value.lastIndexOf(literal);
  return at < 0 || literal === '' ? value : value.slice(0, at);
}

/** Unquoted, blanks in a value part words, or what IFS says instead. */
function fields(value: string, quoted: boolean, machine: Substitution): string {
  if (!machine.follow(value.length)) return UNKNOWN;
  if (quoted) return value;
  const separators = machine.scope.get('IFS');
  if (separators === ' ' || separators.includes(UNKNOWN)) return value.replace(/[ \t\n]+/g, FIELD);
  return [...value].map((letter) => (separators.includes(letter) ? FIELD : letter)).join('');
}

function unquote(text: string): string {
  return text.includes('\\')
    ? text.replace(/\\(\n|.)/gs, (_, letter: string) => (letter === '\n' ? '' : letter))
    : text;
}

function unescapeDouble(text: string): string {
  return text.includes('\\')
    ? text.replace(/\\([$`"\\\n])/g, (_, letter: string) => (letter === '\n' ? '' : letter))
    : text;
}

/** `{curl,-s,http://…}` and `a{b,c}d`, one level, at most 64 words. */
function bracesOf(text: string): string[] | undefined {
  const [, before, list, after] = /^([^{}'"$`]*)\{([^{}'"$`]*,[^{}'"$`]*)\}([^{}'"$`]*)$/.exec(text) ?? [];
  return list?.split(',', 64).map((item) => unquote(`${before}${item}${after}`));
}
