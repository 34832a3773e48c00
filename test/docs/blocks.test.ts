import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { policyProblems } from '../../webhook/policy-problems.ts';
import { blocksOf, isRunHere, PAGES, placeOf } from './blocks.ts';

/** Why a block is not run here, and what tries it instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'own-test': 'takes minutes, and is run by .ci/run or has a test of its own',
  'needs-kind': 'run by .github/workflows/ci.yml (test/docs/on-kind.ts)',
  'needs-root': 'loads eBPF programs; test/runtime and test/bpf do',
  'needs-kubelet': 'reads logs through a kubelet; test/cluster/node.test.ts does',
  'needs-promtool': 'run by test/manifests/monitoring.test.ts',
};

const shellBlocks = PAGES.flatMap(blocksOf).filter(({ language }) => language === 'sh');

describe('the commands on the pages', () => {
  it('say why where they are not run, for a reason that is known', () => {
    const elsewhere = shellBlocks.filter((block) => !isRunHere(block));
    expect(elsewhere.filter(({ title = '' }) => !Object.hasOwn(ELSEWHERE, title)).map(placeOf)).toEqual([]);
  });

  it('are run here but for a few', () => {
    const elsewhere = shellBlocks.filter((block) => !isRunHere(block));
    console.log(`Not run here:\n${elsewhere.map((each) => `  ${placeOf(each)} ${each.title}`).join('\n')}`);
    expect(elsewhere.length).toBeLessThanOrEqual(16);
  });
});

describe('the policies of the cookbook', () => {
  it.each(blocksOf('docs/policies.md').map((block) => [placeOf(block), block.text] as const))(
    'are taken: %s',
    (_place, text) => {
      const policy = parse(text);
      expect(policy).toMatchObject({ kind: 'SentryPolicy', metadata: { namespace: 'kubesentry-system' } });
      expect(policyProblems(policy.spec)).toEqual([]);
    },
  );
});
