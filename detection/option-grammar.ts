import type { OptionRole, Rows } from './rows.ts';

/** The options of all miners as one grammar. */
export interface OptionGrammar {
  /** Role of a long option, `--name`. */
  readonly long: ReadonlyMap<string, OptionRole>;
  /** Role of a short option, `-x`. */
  readonly short: ReadonlyMap<string, OptionRole>;
  /** Role of an option with one dash and several letters, `-pool`. */
  readonly single: ReadonlyMap<string, OptionRole>;
  /** The long names of miners that take unique prefixes, in order. */
  readonly sorted: readonly string[];
}

/** Where miners differ in what an option means, the miner that stands first in the file decides. */
export function optionGrammar(miners: Rows['miners']): OptionGrammar {
  const long = new Map<string, OptionRole>();
  const short = new Map<string, OptionRole>();
  const single = new Map<string, OptionRole>();
  const prefixed = new Set<string>();
  for (const { options, prefixes } of miners) {
    const named = Object.entries(options) as [OptionRole, string[]][];
    for (const [name, role] of named.flatMap(([role, names]) => names.map((name) => [name, role] as const))) {
      const table = name.startsWith('-') ? single : name.length === 1 ? short : long;
      const key = name.replace(/^-/, '');
      if (!table.has(key)) table.set(key, role);
      if (prefixes && table === long) prefixed.add(key);
    }
  }
  return { long, short, single, sorted: [...prefixed].sort() };
}

/** getopt_long takes any prefix that fits one option only; below this length a prefix says nothing. */
const SHORTEST_PREFIX = 4;

/** The long option that `--written` means: its own name, or a unique prefix of at least 4 letters. */
export function longOption(
  grammar: OptionGrammar,
  written: string,
): { name: string; role: OptionRole } | undefined {
  const exact = grammar.long.get(written);
  if (exact !== undefined) return { name: written, role: exact };
  if (written.length < SHORTEST_PREFIX) return undefined;
  let low = 0;
  let high = grammar.sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((grammar.sorted[middle] as string) < written) low = middle + 1;
    else high = middle;
  }
  const name = grammar.sorted[low];
  if (!name?.startsWith(written)) return undefined;
  const role = grammar.long.get(name) as OptionRole;
  // A first word that is whole is another's option: Ray's `--block` is not `--block-diff`.
  if (role === 'mark' && name[written.length] === '-' && !written.includes('-')) return undefined;
  for (let at = low + 1; grammar.sorted[at]?.startsWith(written); at++) {
    if (grammar.long.get(grammar.sorted[at] as string) !== role) return undefined;
  }
  return { name, role };
}
