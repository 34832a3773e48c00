import { spawnSync } from 'node:child_process';

/** For `describe.skipIf`: promtool comes with Debian's package prometheus, which CI installs. */
export const promtoolMissing = isMissing();

function isMissing(): boolean {
  if (spawnSync('promtool', ['--version']).error === undefined) return false;
  console.warn('Skipped: there is no promtool here (Debian: apt-get install prometheus)');
  return true;
}

/** What promtool says to `args`; it writes to both streams. */
export function promtool(args: readonly string[], input = ''): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}
