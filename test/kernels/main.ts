/** `npm run kernels`: what this machine's kernel and those of three Debian releases can do for the agent. */
import { parseArgs } from 'node:util';
import { ensurePackages } from '../../build/debian-packages.mjs';
import { fetchKernel, SUITES, type Suite } from './debian-kernel.ts';
import { PACKAGES } from './packages.ts';
import { type Column, runDebian, runHere, suiteOf } from './run.ts';
import { table } from './table.ts';

const HELP = `Usage: npm run kernels -- [--kernel SERIES]... [--json]

Goes through one functional list on this machine's kernel and, under qemu, on those of Debian: ${Object.values(SUITES).join(', ')}.

  --kernel SERIES   only this one, such as 6.1, or "here"; may be given again
  --fetch           only install and download what is needed
  --json            the results as one JSON document
`;

/** Not run, and why; a column all the same, so that nobody takes it for tested. */
const ABSENT = {
  ARM64: 'the addon and the programs are built for arm64 on arm64 only; nobody has run them there yet',
};

const { values } = parseArgs({
  options: {
    kernel: { type: 'string', multiple: true },
    fetch: { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const log = (line: string) => void process.stderr.write(`${line}\n`);
const wanted = values.kernel ?? [...Object.values(SUITES), 'here'];
await ensurePackages(PACKAGES, { log });

const done: Column[] = [];
for (const series of wanted) {
  const suite = series === 'here' ? undefined : suiteOf(series);
  if (series !== 'here' && !suite) {
    process.stderr.write(`There is no kernel "${series}": ${Object.values(SUITES).join(', ')} or here.\n`);
    process.exit(2);
  }
  if (values.fetch) {
    if (suite) fetchKernel(suite, log);
    continue;
  }
  log(suite ? `Booting Debian's ${SUITES[suite as Suite]} ...` : "This machine's kernel ...");
  const heard = ({ ability, cell }: { ability: string; cell: { state: string } }) =>
    log(`  ${cell.state.padEnd(10)} ${ability}`);
  done.push(suite ? await runDebian(suite, heard, log) : await runHere(heard));
}
process.stdout.write(
  values.json ? `${JSON.stringify({ kernels: done, absent: ABSENT }, undefined, 2)}\n` : table(done, ABSENT),
);
// What cannot be done is a finding of this command.
process.exit(done.some(({ results }) => results.some(({ cell }) => cell.state === 'cannot')) ? 1 : 0);
