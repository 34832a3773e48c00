/** `npm run corpus [-- --verbose]`: judges every labelled case and prints the confusion matrix. Exit 1 on a miss. */
import { judgeCorpus } from './corpus.ts';

const HELP = `Usage: npm run corpus -- [--verbose]

Judges every labelled case, what is malicious and what is benign, and prints what became of them. Exit code 1 where
something malicious passes or something benign is denied.

  --verbose    name the benign ones that are warned of
`;

if (process.argv.includes('--help')) {
  process.stdout.write(HELP);
  process.exit(0);
}

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
