import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RETENTION, type Retention } from '../../../webhook/audit/columns.ts';
import { SqliteFacts } from '../../../webhook/audit/sqlite.ts';
import type { FactStore } from '../../../webhook/audit/store.ts';

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
];
