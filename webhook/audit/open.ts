import { RETENTION } from './columns.ts';
import type { FactStore } from './store.ts';

export interface StoreArguments {
  /** A file, `:memory:`, or the address of a PostgreSQL: postgres://user:password@host/database. */
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
  if (/^postgres(ql)?:\/\//.test(database)) {
    const { PostgresFacts } = await import('./postgres.ts');
    return PostgresFacts.open(database, retention);
  }
  const { SqliteFacts } = await import('./sqlite.ts');
  return new SqliteFacts(database, retention);
}
