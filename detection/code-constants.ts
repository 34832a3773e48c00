/** A string in a program, with where its source begins and ends. */
export interface Literal {
  text: string;
  from: number;
  to: number;
}

/** What stands before a literal that gets a name: `const host = `, `$h=`, also around a list that is joined. */
const NAMED = /(?:^|[\s;{(,])[$@]?([A-Za-z_]\w{0,63})\s*(?::=|=)\s*(?:(?:''|"")\.join\(\s*)?[[(]?\s*[rbu]?$/;

/** Nothing is added to it. */
const ENDS = /^\s*\]?\)?\s*(?:[;\n,})]|$)/;

/** `port = 443`: a number stands for itself within strings alone, since code may calculate with it. */
const NUMBERED =
  /(?:^|[;\n{(])[ \t]{0,32}(?:(?:const|let|var|my)[ \t]{1,4})?\$?([A-Za-z_]\w{0,63})[ \t]{0,16}=[ \t]{0,16}(\d{1,6})[ \t]{0,16}(?=[;\n,)]|$)/g;

/** A name in code: no attribute, no call, no target of an assignment, no key. */
const USED = /(?<![\w.$@])[$@]?([A-Za-z_]\w{0,63})(?!\w|\s{0,16}(?:=(?!=)|\(|:))/g;

/** A name within a string, as each language writes it. */
const WITHIN = /[$#]?\{([A-Za-z_]\w{0,63})\}|\$([A-Za-z_]\w{0,63})/g;

/**
 * The program with the names of its literals replaced by them: a host, a wallet or an option may stand in a variable.
 * Undefined when nothing changes, or when it would grow beyond `limit` characters.
 */
export function fillInConstants(
  code: string,
  literals: readonly Literal[],
  limit: number,
): string | undefined {
  const constants = new Map<string, string>();
  for (const { text, from, to } of literals) {
    const [, name] = NAMED.exec(code.slice(Math.max(from - 96, 0), from)) ?? [];
    if (name !== undefined && text !== '' && ENDS.test(code.slice(to, to + 16))) constants.set(name, text);
  }
  const numbers = new Map<string, string>();
  for (const [, name = '', number = ''] of code.matchAll(NUMBERED)) numbers.set(name, number);
  if (constants.size + numbers.size === 0) return undefined;
  let filled = '';
  let at = 0;
  let changed = false;
  // One literal may name a long one again and again.
  let room = limit;
  const meaningOf = (whole: string, name: string | undefined) => {
    const value = name === undefined ? undefined : constants.get(name);
    if (value === undefined || value.length > room) return whole;
    room -= value.length;
    changed = true;
    return value;
  };
  const fill = (gap: string) =>
    gap.replace(USED, (whole, name: string) =>
      constants.has(name) ? quoted(meaningOf(whole, name)) : whole,
    );
  for (const { text, from, to } of literals) {
    if (from < at) continue;
    const within = text.replace(WITHIN, (whole, braced?: string, bare?: string) => {
      const number = numbers.get(braced ?? bare ?? '');
      changed ||= number !== undefined;
      return number ?? meaningOf(whole, braced ?? bare);
    });
    filled += fill(code.slice(at, from)) + (within === text ? code.slice(from, to) : quoted(within));
    if (filled.length > limit) return undefined;
    at = to;
  }
  filled += fill(code.slice(at));
  return changed && filled.length <= limit ? filled : undefined;
}

/** As a literal that every language reads alike. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
