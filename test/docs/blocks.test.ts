import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { policyProblems } from '../../webhook/policy-problems.ts';
import { blocksOf, isRunnable, PAGES, placeOf } from './blocks.ts';

/** Why a control plane is not enough for a block, and what tries it instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'own-test': 'takes minutes, and is run by .ci/run or has a test of its own',
  'needs-kind':
    'kind starts from an image of a registry: run by .github/workflows/ci.yml (test/docs/on-kind.ts), ' +
    'and the rest of that page on a real node as well (test/docs/on-node.test.ts)',
  'needs-root': 'loads eBPF programs; test/runtime and test/bpf do',
  'needs-kubelet': 'reads logs through a kubelet: run by test/docs/on-node.test.ts',
  'needs-promtool': 'run by test/manifests/monitoring.test.ts',
};

const shellBlocks = PAGES.flatMap(blocksOf).filter(({ language }) => language === 'sh');

describe('the commands on the pages', () => {
  it('say what else they need, for a reason that is known', () => {
    const elsewhere = shellBlocks.filter((block) => !isRunnable(block));
    expect(elsewhere.filter(({ title = '' }) => !Object.hasOwn(ELSEWHERE, title)).map(placeOf)).toEqual([]);
  });

  it('need no more than a control plane, but for a few', () => {
    const elsewhere = shellBlocks.filter((block) => !isRunnable(block));
    console.log(
      `Need more than a control plane:\n${elsewhere.map((each) => `  ${placeOf(each)} ${each.title}`).join('\n')}`,
    );
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
