import { expect, test } from 'vitest';
import { loadIndicators } from '../../detection/load.ts';
import { judgeProcess } from '../../detection/process.ts';

const indicators = await loadIndicators();

test('command substitutions that never end cost no more than their length', () => {
  const judge = (count: number) => {
    const started = performance.now();
    judgeProcess({ exe: '/bin/sh', argv: ['sh', '-c', 'a=$(echo '.repeat(count)] }, { indicators });
    return performance.now() - started;
  };
  judge(1_000);
  // Sixteen times the length took a hundred times as long once, and twelve seconds at the bound of a script.
  expect(judge(16_000)).toBeLessThan(3_000);
});
