import type { Fact } from './fact.ts';
import { ENTRIES, READS } from './verbs.ts';

/** How much history is kept. */
export interface Retention {
  /** Milliseconds. */
  age: number;
  /** Of the database. */
  bytes: number;
}

/** A week, which covers a weekend that nobody looked, and a gibibyte. */
export const RETENTION: Retention = { age: 7 * 24 * 60 * 60_000, bytes: 1024 ** 3 };

/** What one query answers at most. */
export const MOST_FOUND = 1000;

/** Whether it could change something; exec and its like do, whatever their verb. */
export function isWrite({ verb, target }: Fact): boolean {
  return !READS.has(verb) || ENTRIES.has(target.subresource);
}

/** As a query names them. */
export function facetsOf({ fingerprint }: Fact): string[] {
  return fingerprint.map(({ facet, value }) => `${facet}:${value}`);
}
