import { createHash } from 'node:crypto';

/** Marks of eight hex digits, one for each thing that found no room. */
const MARK = 8;
const MARKS = 1024;

/** All marks that there can be. */
const SPACE = 16 ** MARK;

/**
 * Counts what a bounded list left out, so that the same things in any order, and however often, give the same count.
 * `marks` are short hashes of what was left out; of all that was ever seen the smallest 1024 are kept. While there are
 * fewer the count is exact; beyond that it is an estimate by how close together they lie, good to about three per cent
 * (the k minimum values of Bar-Yossef et al., Counting Distinct Elements in a Data Stream, 2002).
 */
export function leaveOut(
  before: string,
  seen: Iterable<string>,
  kept: Iterable<string>,
): { marks: string; count: number } {
  const room = new Set(kept);
  const offered = [...seen];
  if (before === '' && offered.every((key) => room.has(key))) return { marks: '', count: 0 };
  const inside = new Set([...room].map(markOf));
  const all = new Set([...split(before), ...inside, ...offered.map(markOf)]);
  const smallest = [...all].sort().slice(0, MARKS);
  const outside = smallest.filter((mark) => !inside.has(mark));
  return { marks: outside.join(''), count: Math.max(sizeOf(smallest) - inside.size, outside.length) };
}

/** Of the set whose smallest marks these are. */
function sizeOf(smallest: readonly string[]): number {
  const last = smallest[MARKS - 1];
  if (last === undefined) return smallest.length;
  return Math.max(MARKS, Math.round(((MARKS - 1) * SPACE) / Number.parseInt(last, 16)));
}

function split(marks: string): string[] {
  const list: string[] = [];
  for (let at = 0; at + MARK <= marks.length; at += MARK) list.push(marks.slice(at, at + MARK));
  return list;
}

function markOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, MARK);
}
