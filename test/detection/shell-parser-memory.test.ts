import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

const PROGRAM = `
const { readFileSync } = await import('node:fs');
const { loadIndicators } = await import('./detection/load.ts');
const { judgeProcess } = await import('./detection/process.ts');
const indicators = await loadIndicators();
for (let i = 0; i < 5000; i++) {
  // In letters: scripts that differ in digits only are parsed once.
  const letters = [...String(i)].map((digit) => 'abcdefghij'[digit]).join('');
  judgeProcess({ exe: '/bin/sh', argv: ['sh', '-c', 'nc -lk -p ' + letters + ' -e sh -c "cat >> /tmp/x"'] }, { indicators });
}
await new Promise((resolve) => setTimeout(resolve, 2000));
console.log(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
`;

test('a hot shell parser never takes the memory that an optimizing compiler of wasm takes', () => {
  const peakKiB = Number(execFileSync(process.execPath, ['-e', PROGRAM], { cwd: ROOT, encoding: 'utf8' }));
  expect(peakKiB / 1024).toBeLessThan(250);
});
