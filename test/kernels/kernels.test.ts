import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { whyNoKernel } from '../runtime/arena.ts';
import type { Result } from './abilities.ts';
import { NO_BTF_ABILITY, runDebian, runHere } from './run.ts';
import { table } from './table.ts';

const here = whyNoKernel();
const elsewhere = whyNoEmulation();

/** Other kernels need an emulator, and the packages that `npm run kernels` installs. */
function whyNoEmulation(): string | undefined {
  const absent = ['qemu-system-x86_64', 'cpio', 'busybox', 'apt-get'].filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0,
  );
  if (absent.length === 0) return undefined;
  const reason = `not installed: ${absent.join(', ')} (npm run kernels installs them)`;
  console.log(`Skipped: ${reason}`);
  return reason;
}

/** Every ability is there, or something else stands in for it. */
function nothingMissing(results: readonly Result[]): void {
  const missing = results.filter(({ cell }) => cell.state === 'cannot');
  expect(missing).toEqual([]);
  expect(results.length).toBeGreaterThan(7);
}

describe('what a kernel can do for the agent', () => {
  test.skipIf(here)("this machine's kernel", async () => {
    const { results } = await runHere(() => {});
    nothingMissing(results);
  });

  test.skipIf(elsewhere)(
    "Debian's 6.1, and what is said where there is no BTF",
    async () => {
      const { results } = await runDebian('bookworm', () => {}, console.log);
      nothingMissing(results);
      expect(results.map(({ ability }) => ability)).toContain(NO_BTF_ABILITY);
    },
    240_000,
  );

  test('is shown as a table with the reasons below', () => {
    const results: Result[] = [
      { ability: 'a', cell: { state: 'works' } },
      { ability: 'b', cell: { state: 'falls back', to: 'c', reason: 'too old' } },
      { ability: 'd', cell: { state: 'cannot', reason: 'no BTF' } },
    ];
    expect(table([{ kernel: '5.10', results, ms: 1_234 }])).toBe(
      [
        'ABILITY     5.10',
        'a           works',
        'b           falls back [1]',
        'd           cannot [2]',
        '(seconds)   1.2',
        '[1] c: too old',
        '[2] no BTF',
        '',
      ].join('\n'),
    );
  });
});
