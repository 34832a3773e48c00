import { RETENTION } from './columns.ts';
import type { FactStore } from './store.ts';

export interface StoreArguments {
  /** A file, or `:memory:`. */
  database: string;
  days?: number;
  mebibytes?: number;
}

/** The store that an address names. Raises STORE_UNUSABLE. */
export async function openFacts({ database, days, mebibytes }: StoreArguments): Promise<FactStore> {
  const retention = {
    age: days === undefined ? RETENTION.age : days * 24 * 60 * 60_000,
    bytes: mebibytes === undefined ? RETENTION.bytes : mebibytes * 1024 ** 2,
  };
  const { SqliteFacts } = await import('./sqlite.ts');
  return new SqliteFacts(database, retention);
}
