import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeObject } from '../../detection/judge.ts';
import { excerptOf } from '../../webhook/admission/excerpt.ts';
import { indicators, podOf } from './harness.ts';

const excerpt = (object: unknown) => excerptOf(object, judgeObject(object, { indicators }).findings);

describe('the excerpt of a refused object', () => {
  test('has what the findings point at, in its place', () => {
    const pod = podOf('x', 'shop', { args: ['-o', 'stratum+tcp://pool.example.com:3333', '--threads=4'] });
    expect(excerpt(pod)).toEqual({
      kind: 'Pod',
      spec: {
        containers: [
          {
            name: 'main',
            image: 'registry.example.com/app:1',
            args: ['…', 'stratum+tcp://pool.example.com:3333'],
            // Found about the container as a whole.
            '…': '…',
          },
        ],
      },
    });
  });

  test('has nothing of the text around a match, and nothing of other fields', () => {
    const script = 'export PASSWORD=hunter2; ./xmrig -o stratum+tcp://pool.example.com:3333 -p hunter3';
    const env = [
      { name: 'TOKEN', value: 'hunter4' },
      { name: 'MINING_POOL', value: 'stratum+tcp://pool.example.com:3333' },
    ];
    const text = JSON.stringify(excerpt(podOf('x', 'shop', { command: ['sh', '-c', script], env })));
    expect(text).toContain('… xmrig … stratum+tcp://pool.example.com:3333 …');
    expect(text).not.toMatch(/hunter\d/);
  });

  test('stays small, whatever is found', () => {
    const container = fc.record({
      args: fc.array(
        fc.constantFrom('xmrig', '--donate-level=1', 'stratum+tcp://a.example:1', 'x'.repeat(900)),
      ),
      image: fc.constantFrom('metal3d/xmrig', `${'y'.repeat(600)}/xmrig`),
    });
    fc.assert(
      fc.property(fc.array(container, { maxLength: 40 }), (containers) => {
        const spec = { containers: containers.map((each, at) => ({ name: `c${at}`, ...each })) };
        const size = JSON.stringify(excerpt({ kind: 'Pod', metadata: {}, spec }) ?? {}).length;
        expect(size).toBeLessThanOrEqual(4096);
      }),
      { numRuns: 50 },
    );
  });
});
