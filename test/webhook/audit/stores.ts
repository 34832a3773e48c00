import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RETENTION, type Retention } from '../../../webhook/audit/columns.ts';
import { PostgresFacts } from '../../../webhook/audit/postgres.ts';
import { SqliteFacts } from '../../../webhook/audit/sqlite.ts';
import type { FactStore } from '../../../webhook/audit/store.ts';
import { postgresServer, whyNoPostgres } from './postgres-server.ts';

/** A new folder that is gone when its scope ends. */
export function scratch(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'kubesentry-facts-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

interface StoreKind {
  name: string;
  skip: boolean;
  open(retention: Partial<Retention>): Promise<{ store: FactStore; end(): Promise<void> }>;
}

/** What the contract is kept by. */
export const STORES: StoreKind[] = [
  {
    name: 'SQLite',
    skip: false,
    async open(retention) {
      const folder = scratch();
      const store = new SqliteFacts(join(folder.path, 'facts.db'), { ...RETENTION, ...retention });
      return {
        store,
        async end() {
          await store.close();
          folder[Symbol.dispose]();
        },
      };
    },
  },
  {
    name: 'PostgreSQL',
    skip: whyNoPostgres() !== undefined,
    async open(retention) {
      const server = await postgresServer();
      const database = await server.createDatabase();
      const store = await PostgresFacts.open(database.url, { ...RETENTION, ...retention });
      return {
        store,
        async end() {
          await store.close();
          await database.drop();
          await server.release();
        },
      };
    },
  },
];
