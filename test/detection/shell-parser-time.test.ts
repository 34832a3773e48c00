import { expect, test } from 'vitest';
import { judgeObject } from '../../detection/judge.ts';
import { loadIndicators } from '../../detection/load.ts';

const indicators = await loadIndicators();
const judge = (script: string) =>
  judgeObject(
    { kind: 'Pod', spec: { containers: [{ name: 'a', image: 'alpine', command: ['sh', '-c', script] }] } },
    { indicators },
  );

// The time that the grammar takes grows with the square of the length: 6 kB took 0.7 s, 90 kB minutes.
test.each([
  ['one line', `: ${'a=('.repeat(30_000)}`],
  ['many lines', `: ${'a=('.repeat(600)}\n`.repeat(100)],
  ['ahead of a miner', `: ${'$%a'.repeat(8_000)}\nxmrig`],
])('text that is made to keep the grammar busy is refused in time: %s', (_, script) => {
  const started = process.cpuUsage();
  const { verdict, findings } = judge(script);
  expect(process.cpuUsage(started).user / 1000).toBeLessThan(2_000);
  expect(verdict).toBe('deny');
  expect(findings[0]).toMatchObject({ rule: 'analysis-limit', score: 80 });
});

test('what a script deploys takes from the same allowance', () => {
  const pod = {
    kind: 'Pod',
    spec: { containers: [{ name: 'a', command: ['sh', '-c', `: ${'a=('.repeat(1_000)}`] }] },
  };
  const started = process.cpuUsage();
  expect(judge(`kubectl apply -f - <<E\n${`${JSON.stringify(pod)}\n---\n`.repeat(16)}\nE\n`).verdict).toBe(
    'deny',
  );
  expect(process.cpuUsage(started).user / 1000).toBeLessThan(2_000);
});

test('and the next script is read as ever', () => {
  judge(`: ${'a=('.repeat(30_000)}`);
  expect(judge('echo hello').verdict).toBe('allow');
  expect(judge('xmrig -o p.example:1').findings[0]?.rule).toBe('miner-name');
});

test('the longest ordinary script is read to its end', () => {
  const line = `echo "${'a word and '.repeat(12)}" >> "/var/log/$NAME.log" || exit 1\n`;
  expect(judge(`${line.repeat(900)}xmrig\n`).findings[0]?.rule).toBe('miner-name');
});
