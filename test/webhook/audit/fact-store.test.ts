import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { RETENTION } from '../../../webhook/audit/columns.ts';
import type { Fact } from '../../../webhook/audit/fact.ts';
import { SqliteFacts } from '../../../webhook/audit/sqlite.ts';
import type { FactStore } from '../../../webhook/audit/store.ts';
import { fact, NOON } from './facts.ts';
import { MemoryFacts } from './memory-facts.ts';
import { STORES, scratch } from './stores.ts';

const ALWAYS = { from: 0, to: Number.MAX_SAFE_INTEGER, limit: 1000 };
const ids = (facts: readonly Fact[]) => facts.map(({ id }) => id);

describe.each(STORES)('$name', ({ skip, open }) => {
  describe.skipIf(skip)('keeps facts', () => {
    let store: FactStore;
    let end: () => Promise<void>;
    beforeEach(async () => {
      ({ store, end } = await open({}));
    });
    afterEach(() => end());

    it('and answers every question as a plain filter would', async () => {
      const plain = new MemoryFacts();
      const facts = Array.from({ length: 200 }, (_, n) =>
        fact({
          time: NOON + n,
          actor: { user: `user-${n % 7}`, ...(n % 3 ? { credential: `JTI=${n % 5}` } : {}) },
          address: `10.0.0.${n % 4}`,
          verb: ['create', 'get', 'list', 'patch'][n % 4] as string,
          target: {
            resource: ['pods', 'secrets', 'deployments'][n % 3] as string,
            subresource: n % 9 === 0 ? 'exec' : '',
            namespace: n % 2 ? 'shop' : '',
            name: `n-${n % 6}`,
            uid: n % 5 ? `uid-${n % 8}` : '',
          },
          fingerprint: [{ facet: 'template', value: `sha256:${n % 3}` }],
        }),
      );
      await store.add(facts);
      await plain.add(facts);
      const questions = [
        {},
        { user: 'user-1' },
        { user: 'user-1', resource: 'secrets' },
        { address: '10.0.0.2', writesOnly: true },
        { credential: 'JTI=2' },
        { namespace: '', resource: 'pods' },
        { namespace: 'shop', resource: 'pods', name: 'n-3', writesOnly: true },
        { uid: 'uid-3' },
        { facet: 'template:sha256:1' },
        { facet: 'template:sha256:1', user: 'user-2', writesOnly: true },
        { resource: 'secrets', limit: 5 },
        { from: NOON + 10, to: NOON + 20 },
      ];
      for (const question of questions) {
        const query = { ...ALWAYS, ...question };
        expect(await store.find(query), JSON.stringify(question)).toEqual(await plain.find(query));
      }
    });

    it('and a later stage replaces an earlier one with its facets', async () => {
      const early = fact({ code: 0, fingerprint: [{ facet: 'pool', value: 'a:1' }] });
      const late = { ...early, code: 101, fingerprint: [{ facet: 'pool' as const, value: 'b:1' }] };
      await store.add([early, early]);
      await store.add([late]);
      expect(await store.find(ALWAYS)).toEqual([late]);
      expect(await store.find({ ...ALWAYS, facet: 'pool:a:1' })).toEqual([]);
      expect(await store.find({ ...ALWAYS, facet: 'pool:b:1' })).toEqual([late]);
    });

    it('whatever text is in them', async () => {
      const odd = fact({ actor: { user: `a' OR 1=1 --\u0000\ud800 \u{1f600}` }, target: { name: '%_\\' } });
      await store.add([odd]);
      expect(await store.find({ ...ALWAYS, name: '%_\\' })).toHaveLength(1);
      expect(await store.find({ ...ALWAYS, user: `' OR 1=1 --` })).toEqual([]);
    });

    it('and forgets the old', async () => {
      const day = 24 * 3_600_000;
      const facts = [NOON - 8 * day, NOON - 6 * day, NOON].map((time) => fact({ time }));
      await store.add(facts);
      expect(await store.prune(NOON)).toBe(1);
      expect(ids(await store.find(ALWAYS))).toEqual(ids(facts.slice(1)));
    });
  });

  it.skipIf(skip)('forgets the oldest beyond its size', async () => {
    const bytes = 2 * 1024 * 1024;
    const { store, end } = await open({ bytes });
    for (let batch = 0; batch < 10; batch++) {
      await store.add(
        Array.from({ length: 400 }, (_, n) =>
          fact({ time: NOON + batch * 1000 + n, images: ['x'.repeat(200)] }),
        ),
      );
    }
    const pruned = await store.prune(NOON);
    expect(pruned).toBeGreaterThan(1000);
    const rest = await store.find(ALWAYS);
    expect(rest.at(-1)?.time).toBe(NOON + 9399);
    expect(await store.prune(NOON)).toBe(0);
    await end();
  });
});

test('SQLite has what it acknowledged after kill -9', async () => {
  using folder = scratch();
  const file = join(folder.path, 'facts.db');
  const child = spawn(process.execPath, [join(import.meta.dirname, 'fact-writer.ts'), file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let acknowledged = 0;
  for await (const line of createInterface(child.stdout)) {
    acknowledged = Number(line);
    if (acknowledged >= 50) break;
  }
  child.kill('SIGKILL');
  await once(child, 'exit');
  const store = new SqliteFacts(file, RETENTION);
  const facts = await store.find(ALWAYS);
  expect(facts.length).toBeGreaterThanOrEqual(acknowledged);
  await store.add([fact({})]);
  await store.close();
});

test('a store of another version is refused with what to do', async () => {
  using folder = scratch();
  const file = join(folder.path, 'facts.db');
  const { DatabaseSync } = await import('node:sqlite');
  const db = new DatabaseSync(file);
  db.exec('PRAGMA user_version = 99');
  db.close();
  expect(() => new SqliteFacts(file, RETENTION)).toThrow('99');
});
