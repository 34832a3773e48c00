/** `npm run corpus [-- --verbose]`: judges every labelled case and prints the confusion matrix. Exit 1 on a miss. */
import { judgeCorpus } from './corpus.ts';

const { rows, misses } = await judgeCorpus();
console.log('            cases   allow    warn    deny');
for (const { label, cases, allow, warn, deny } of rows) {
  console.log([label.padEnd(10), cases, allow, warn, deny].map((cell) => `${cell}`.padStart(8)).join(''));
}
for (const { label, name, verdict, score, findings } of misses) {
  console.log(
    `MISS ${label}: ${name}: ${verdict} (${score}) ${findings.map(({ rule, score }) => `${rule}:${score}`).join(' ')}`,
  );
}
if (process.argv.includes('--verbose')) {
  for (const { label, name, verdict, findings } of rows.flatMap(({ warned }) => warned)) {
    console.log(
      `warn ${label}: ${name}: ${verdict} ${findings.map(({ rule, score }) => `${rule}:${score}`).join(' ')}`,
    );
  }
}
process.exitCode = misses.length === 0 ? 0 : 1;
