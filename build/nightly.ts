/**
 * `npm run nightly`: everything, with nothing skipped: tests, corpus, all kernels, all
 * benchmarks. Goes on after a failure, and says at the end what failed and where the time went.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { columns } from '../cli/columns.ts';

const HELP = `Usage: npm run nightly

Everything that there is, with nothing skipped: tests, a million fuzz runs, corpus, images, all kernels, all
benchmarks; an hour on two cores. Goes on after a failure, and says at the end what failed. Exit code 0 if nothing did.
`;

const [argument] = process.argv.slice(2);
if (argument !== undefined) {
  const isHelp = argument === '--help' || argument === '-h';
  (isHelp ? process.stdout : process.stderr).write(HELP);
  process.exit(isHelp ? 0 : 1);
}

const root = join(import.meta.dirname, '..');
const node = (...args: string[]) => [process.execPath, ...args];

const STEPS: Readonly<Record<string, string[]>> = {
  'Kubernetes, built once': node('test/cluster/main.ts', 'build'),
  tests: node('build/check.ts'),
  'a million fuzz runs': [
    'env',
    'KUBESENTRY_FUZZ_RUNS=1000000',
    ...node('node_modules/.bin/vitest', 'run', 'test/fuzz'),
  ],
  corpus: node('test/corpus/main.ts'),
  'images, bit for bit': node('build/reproduce.ts'),
  'images by docker': node('test/build/by-docker.ts'),
  kernels: node('test/kernels/main.ts'),
  'bench ringbuf': node('test/bench/main.ts', 'ringbuf', '--json'),
  'bench runtime': node('test/bench/main.ts', 'runtime', '--json'),
  'bench admission': node('test/bench/main.ts', 'admission', '--json'),
  'bench response': node('test/bench/main.ts', 'response', '--json'),
  'bench cluster': node('test/bench/main.ts', 'cluster', '--json'),
  'soak, five minutes': node('test/bench/main.ts', 'soak', '--json', '--minutes', '5'),
  'kills of the agent': node('test/bench/main.ts', 'kills', '--json'),
  'bench faults': node('test/bench/main.ts', 'faults', '--json'),
  'bench audit': node('test/bench/main.ts', 'audit', '--json'),
  'left behind': node('test/leftovers.ts'),
};

const rows: string[][] = [];
for (const [title, [command = '', ...args]] of Object.entries(STEPS)) {
  console.log(`\n##### ${title}`);
  const began = performance.now();
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, KUBESENTRY_REQUIRE_ALL: '1' },
  });
  rows.push([title, status === 0 ? 'ok' : 'FAILED', ((performance.now() - began) / 1000).toFixed(0)]);
}
console.log(`\n${columns(['STEP', 'RESULT', 'SECONDS'], rows)}`);
process.exit(rows.every(([, result]) => result === 'ok') ? 0 : 1);
