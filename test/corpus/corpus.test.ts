import { expect, test } from 'vitest';
import { judgeCorpus } from './corpus.ts';

test('denies every malicious case and no benign one', async () => {
  const { rows, misses } = await judgeCorpus();
  expect(misses.map(({ label, name, verdict }) => `${label}: ${name}: ${verdict}`)).toEqual([]);
  for (const { cases } of rows) expect(cases).toBeGreaterThan(1000);
});
