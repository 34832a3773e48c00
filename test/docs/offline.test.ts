import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBinaries } from '../cluster/binaries.ts';
import { clusterTests } from '../cluster/requirement.ts';
import { blocksOf, PAGES, placeOf } from './blocks.ts';
import { Reader } from './reader.ts';

const blocks = PAGES.flatMap(blocksOf).filter(({ title }) => title === 'offline');

/** kubectl comes with the Kubernetes that the tests build. */
describe.skipIf(clusterTests.skip)('commands that need no cluster', () => {
  let reader: Reader;
  beforeAll(() => {
    reader = new Reader(findBinaries()?.kubectl ?? []);
  });
  afterAll(() => reader?.leave());

  it.each(blocks.map((block) => [placeOf(block), block] as const))(
    '%s',
    async (_place, block) => {
      const { status, output } = await reader.follow(block);
      expect(status, `${block.text}\n${output}`).toBe(0);
    },
    60_000,
  );

  it('have put the kubectl plugin where kubectl finds it', async () => {
    const text = 'kubectl kubesentry explain stratum-url';
    const { status, output } = await reader.follow({
      page: '',
      line: 0,
      language: 'sh',
      title: undefined,
      text,
    });
    expect(output).toContain('Address of a mining pool by scheme');
    expect(status).toBe(0);
  });
});
