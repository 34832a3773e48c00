import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

/** What stands behind the npm scripts of package.json that take arguments. */
const PROGRAMS = [
  ...['demo/main.ts', 'build/check.ts', 'build/nightly.ts', 'build/image.ts'],
  ...['test/cluster/main.ts', 'test/kernels/main.ts', 'test/corpus/main.ts', 'test/bench/main.ts'],
];

describe('--help of our own commands', () => {
  test.each(PROGRAMS)('%s says what it does, and does not do it', async (program) => {
    const help = await run(process.execPath, [program, '--help'], { cwd: root, timeout: 15_000 });
    expect(help.stdout + help.stderr).toMatch(/^Usage: npm /);
  });

  test.each(['runtime', 'soak', 'admission'])('the benchmark %s says what it measures', async (name) => {
    const { stdout } = await run(process.execPath, ['test/bench/main.ts', name, '--help'], { cwd: root });
    expect(stdout).toMatch(/^Usage: npm run bench -- \w+ .*\n\n[A-Z].{60}/);
    expect(stdout).not.toContain('*');
  });

  test('names benchmarks, and no tests that lie beside them', async () => {
    const { stderr } = await run(process.execPath, ['test/bench/main.ts', '--help'], { cwd: root });
    expect(stderr).toContain('faults');
    expect(stderr).not.toContain('.test');
  });
});
