import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hasDomain, withExtra } from '../../detection/indicators.ts';
import { loadIndicators } from '../../detection/load.ts';
import { readRows } from '../../detection/read-rows.ts';

const SOURCES = join(import.meta.dirname, '../../detection/indicators');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'indicators-'));
  cpSync(SOURCES, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

test('names the file and the row of a mistake', () => {
  writeFileSync(
    join(folder, 'pools.yaml'),
    '- { domain: a.example, source: me, date: 2026-01-01 }\n- { domain: b.example }\n',
  );
  expect(() => readRows(folder)).toThrowError(
    expect.objectContaining({
      code: 'INDICATORS_INVALID',
      message: expect.stringMatching(/pools\.yaml, row 2/),
    }),
  );
});

test.each([
  ['hashes.yaml', '- { sha256: xyz, source: me, date: 2026-01-01 }'],
  ['addresses.yaml', '- { address: not-an-address, source: me, date: 2026-01-01 }'],
  ['names.yaml', '- { name: a, kind: other, source: me, date: 2026-01-01 }'],
  ['sites.yaml', 'domain: a'],
  ['miners.yaml', '- {'],
])('refuses %s with %s', (file, text) => {
  writeFileSync(join(folder, file), text);
  expect(() => readRows(folder)).toThrowError(
    expect.objectContaining({ code: 'INDICATORS_INVALID', message: expect.stringContaining(file) }),
  );
});

test('refuses a folder that lacks a table', () => {
  rmSync(join(folder, 'names.yaml'));
  expect(() => readRows(folder)).toThrowError(expect.objectContaining({ code: 'INDICATORS_INVALID' }));
});

test('every row has a source and a day', () => {
  for (const rows of Object.values(readRows())) {
    for (const row of rows)
      expect(row).toMatchObject({ source: expect.any(String), date: expect.stringMatching(/^\d{4}-/) });
  }
});

test('a policy adds indicators and leaves the built-in ones as they are', async () => {
  const indicators = await loadIndicators();
  const more = withExtra(indicators, {
    names: ['Zzminer_X'],
    pools: ['pool.corp.example'],
    addresses: ['203.0.113.0/24', '198.51.100.7:3333', 'nonsense'],
    images: ['corp/zz'],
    hashes: ['f'.repeat(64)],
  });
  expect(more.names).toContain('zzminer_x');
  expect(hasDomain(more.pools, 'eu.pool.corp.example')).toBe(true);
  expect(more.addressRanges.has('203.0.113.9', 80)).toBe(true);
  expect(more.addressRanges.has('198.51.100.7', 3333)).toBe(true);
  expect(more.addressRanges.has('198.51.100.7', 443)).toBe(false);
  expect(hasDomain(indicators.pools, 'eu.pool.corp.example')).toBe(false);
  expect(withExtra(indicators, undefined)).toBe(indicators);
});

test('a hundred thousand indicators cost a look-up nothing that shows', async () => {
  const count = 100_000;
  const large = withExtra(await loadIndicators(), {
    names: Array.from({ length: count }, (_, at) => `name${at}`),
    pools: Array.from({ length: count }, (_, at) => `p${at}.example`),
    addresses: Array.from(
      { length: count },
      (_, at) => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}:${1000 + (at % 9)}`,
    ),
  });
  const start = performance.now();
  for (let at = 0; at < 10_000; at++) {
    large.addressRanges.has(`10.0.${at & 255}.7`, 1234);
    hasDomain(large.pools, `a.b.c.p${at}.example.org`);
    large.nameKinds.get(`name${at}`);
  }
  expect((performance.now() - start) / 10_000).toBeLessThan(0.05);
});
