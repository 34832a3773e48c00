import { setTimeout as sleep } from 'node:timers/promises';
import { KubesentryError } from '../../api/errors.ts';
import { columns } from '../columns.ts';
import type { Session } from './options.ts';
import type { Finding } from './status-check.ts';

/** One part of Kubesentry: what it is called, how it is, and what to know or do about it. */
export type Row = readonly [part: string, state: Finding['state'], detail: string];

export const HEADER = ['PART', 'STATE', 'DETAIL'];

/** Between two looks at everything, milliseconds. */
const PERIOD_MS = 2_000;

/** Writes every part that is another than before, with the time, until `signal`. An API server that is away is waited for. */
export async function watchStatus(
  { write, warn, signal }: Pick<Session, 'write' | 'warn' | 'signal'>,
  before: readonly Row[],
  look: () => Promise<Row[]>,
  periodMs = PERIOD_MS,
): Promise<void> {
  let known = new Map(before.map((row) => [row[0], row.join('\t')]));
  while (!(await isOver(signal, periodMs))) {
    try {
      const rows = await look();
      const changed = rows.filter((row) => known.get(row[0]) !== row.join('\t'));
      known = new Map(rows.map((row) => [row[0], row.join('\t')]));
      if (changed.length > 0) write(lines(changed));
    } catch (error) {
      if (!(error instanceof KubesentryError)) throw error;
      warn(`${error.message} Trying again.\n`);
    }
  }
}

function lines(rows: readonly Row[]): string {
  const time = new Date().toISOString();
  const text = columns(
    ['TIME', ...HEADER],
    rows.map((row) => [time, ...row]),
  );
  return text.slice(text.indexOf('\n') + 1);
}

/** Waits, shorter when somebody has enough. */
async function isOver(signal: AbortSignal, ms: number): Promise<boolean> {
  await sleep(ms, undefined, { signal }).catch(() => {});
  return signal.aborted;
}
