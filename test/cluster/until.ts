import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, isAlive } from './daemon.ts';

const TIMEOUT_MS = 60_000;

/** Polls `condition`; names the log and its last lines when the process ends first or the time is over. */
export async function until(
  what: string,
  daemon: Daemon,
  folder: string,
  condition: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!(await condition())) {
    const ended = !isAlive(daemon);
    if (ended || performance.now() > deadline) {
      const log = join(folder, `${daemon.name}.log`);
      const tail = existsSync(log)
        ? readFileSync(log, 'utf8').trimEnd().split('\n').slice(-8).join('\n')
        : '';
      throw new Error(
        `${daemon.name} ${ended ? 'ended' : `took over ${TIMEOUT_MS / 1000} s`} before ${what}. ${log} ends in:\n${tail}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
