/** Longer words were not meant to be one of ours; keeps the work small. */
const LONGEST = 32;

/** The one of `words` that somebody who typed `typed` probably meant: two slips away at most, or what it begins. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  if (typed.length > LONGEST) return undefined;
  const ranked = words.map((word) => ({ word, slips: slips(typed, word) })).sort((a, b) => a.slips - b.slips);
  const [best] = ranked;
  if (best && best.slips <= 2) return best.word;
  return typed.length < 2 ? undefined : words.find((word) => word.startsWith(typed));
}

/** Letters to insert, drop or replace (Levenshtein). */
function slips(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const [up, left, corner] = [row[j], next[j - 1], row[j - 1]] as [number, number, number];
      next.push(Math.min(up + 1, left + 1, corner + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] as number;
}
