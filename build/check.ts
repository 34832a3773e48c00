/**
 * `npm test`: lint, types, tests. Names every test that was skipped; where nothing may be skipped
 * (KUBESENTRY_REQUIRE_ALL=1, as in CI), a skip is a failure.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { name: string; assertionResults: { status: string; fullName: string }[] }[];
}

const HELP = `Usage: npm test [-- FILE...] [-- --OPTION]

Lint, types, and every test that this machine can run; names those that it cannot. FILE and OPTION go to vitest:
npm test -- test/webhook runs the tests of one folder. KUBESENTRY_REQUIRE_ALL=1 takes a skipped test for a failure.
`;

if (process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) {
  process.stdout.write(HELP);
  process.exit(0);
}

const root = join(import.meta.dirname, '..');
const bin = (name: string) => join(root, 'node_modules', '.bin', name);

function step(title: string, command: string, args: string[]): boolean {
  const started = performance.now();
  console.log(`\n== ${title}`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  console.log(
    `== ${title}: ${status === 0 ? 'ok' : 'FAILED'} in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  return status === 0;
}

function skippedTests(report: VitestReport): string[] {
  return report.testResults.flatMap((file) =>
    file.assertionResults
      .filter((test) => test.status !== 'passed' && test.status !== 'failed')
      .map((test) => `${file.name.slice(root.length + 1)}: ${test.fullName}`),
  );
}

const scratch = mkdtempSync(join(tmpdir(), 'kubesentry-check-'));
const reportFile = join(scratch, 'vitest.json');
const results = [
  step('lint', bin('biome'), ['ci', '.']),
  step('types', bin('tsc'), ['-p', '.']),
  step('tests', bin('vitest'), [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
    ...process.argv.slice(2),
  ]),
];

const report = JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport;
rmSync(scratch, { recursive: true });
const skipped = skippedTests(report);
if (skipped.length > 0) {
  console.log(
    `\nSkipped here (each prints its reason above):\n${skipped.map((name) => `  ${name}`).join('\n')}`,
  );
}
const mayNotSkip = process.env.KUBESENTRY_REQUIRE_ALL === '1' && skipped.length > 0;
if (mayNotSkip) console.log('\nKUBESENTRY_REQUIRE_ALL=1: a skipped test is a failure here.');
console.log(`\n${report.numPassedTests} passed, ${report.numFailedTests} failed, ${skipped.length} skipped`);
process.exit(results.every(Boolean) && !mayNotSkip ? 0 : 1);
