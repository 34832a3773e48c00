import { expect, test } from 'vitest';
import { loadIndicators } from '../../detection/load.ts';
import { judgeProcess } from '../../detection/process.ts';

const indicators = await loadIndicators();

const rulesOf = (argv: string[]) =>
  judgeProcess({ exe: '/usr/bin/node', argv }, { indicators }).findings.map(({ rule }) => rule);

test('a program that npm links is not hidden, in whatever folder the project is built', () => {
  expect(rulesOf(['node', '/tmp/build/node_modules/.bin/vitest', 'run'])).not.toContain('hidden-path');
});

test('a folder of another owner with the same name still is', () => {
  expect(rulesOf(['node', '/tmp/.bin/run.js'])).toContain('hidden-path');
});
