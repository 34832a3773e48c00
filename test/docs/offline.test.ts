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
    const typed = (text: string) =>
      reader.follow({ page: '', line: 0, language: 'sh', title: undefined, text });
    expect(await typed('kubectl kubesentry explain stratum-url')).toEqual({
      status: 0,
      output: expect.stringContaining('Address of a mining pool by scheme'),
    });
    const help = await typed('kubectl kubesentry --help');
    expect(help.output, 'it knows that it is a plugin').toContain('kubectl kubesentry COMMAND');
  });
});
