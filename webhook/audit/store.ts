import type { Fact } from './fact.ts';

/** What to look for; every given field must match. Times in milliseconds since 1970, both ends included. */
export interface FactQuery {
  from: number;
  to: number;
  user?: string;
  address?: string;
  credential?: string;
  namespace?: string;
  resource?: string;
  name?: string;
  uid?: string;
  /** As `facet:value`. */
  facet?: string;
  /** Only requests that could change something, exec included. */
  writesOnly?: boolean;
  /** Newest first beyond this many; at most 1000. */
  limit: number;
}

/** History of audit facts, bounded by age and by size. */
export interface FactStore {
  /** Keeps them; resolves when they would survive a kill. A fact with a known id replaces it (a later stage). */
  add(facts: readonly Fact[]): Promise<void>;
  /** In order of time, oldest first; where more match than `limit`, the newest of them. */
  find(query: FactQuery): Promise<Fact[]>;
  /** Drops what is older than the bound, and the oldest beyond the size; answers how many. */
  prune(now: number): Promise<number>;
  close(): Promise<void>;
}
