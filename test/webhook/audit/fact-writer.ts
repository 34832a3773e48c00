/** Adds facts to the SQLite file that it is given, for ever, and prints how many are kept after each. */
import { RETENTION } from '../../../webhook/audit/columns.ts';
import { SqliteFacts } from '../../../webhook/audit/sqlite.ts';
import { fact, NOON } from './facts.ts';

const store = new SqliteFacts(process.argv[2] as string, RETENTION);
for (let count = 1; ; count++) {
  await store.add([fact({ time: NOON + count })]);
  process.stdout.write(`${count}\n`);
  await new Promise(setImmediate);
}
