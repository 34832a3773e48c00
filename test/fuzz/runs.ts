/**
 * How often a property is tried: `share` of 10,000, or of what KUBESENTRY_FUZZ_RUNS says (a million in the nightly
 * script).
 */
export function runs(share: number): number {
  return Math.ceil(share * TOTAL);
}

const TOTAL = Number(process.env.KUBESENTRY_FUZZ_RUNS ?? 10_000);

/** Milliseconds that the runs may take; a hundred times as many take a hundred times as long. */
export const TIMEOUT = Math.max(60_000, TOTAL * 12);
