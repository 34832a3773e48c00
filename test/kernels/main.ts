/** `npm run kernels`: what this machine's kernel, those of three Debian releases and an arm64 one can do for the agent. */
import { parseArgs } from 'node:util';
import { ensurePackages } from '../../build/debian-packages.mjs';
import type { Result } from './abilities.ts';
import { ARM64_PACKAGES, fetchArm64 } from './arm64.ts';
import { fetchKernel, SUITES } from './debian-kernel.ts';
import { PACKAGES } from './packages.ts';
import { type Column, runArm64, runDebian, runHere, suiteOf } from './run.ts';
import { table } from './table.ts';

const NAMES = [...Object.values(SUITES), 'here', 'arm64'];

const HELP = `Usage: npm run kernels -- [--kernel NAME]... [--fetch] [--json]

Goes through one functional list on several kernels: this machine's (here), and under qemu those of Debian
(${Object.values(SUITES).join(', ')}) and Debian's 6.1 for arm64, with the agent built for it.

  --kernel NAME   only this one: ${NAMES.join(', ')}; may be given again
  --fetch         only install, download and build what is needed
  --json          the results as one JSON document
`;

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
const heard = ({ ability, cell }: Result) => log(`  ${cell.state.padEnd(10)} ${ability}`);
const wanted = values.kernel ?? NAMES;
const unknown = wanted.find((name) => name !== 'here' && name !== 'arm64' && !suiteOf(name));
if (unknown !== undefined) {
  log(`There is no kernel "${unknown}": ${NAMES.join(', ')}.`);
  process.exit(2);
}
await ensurePackages([...PACKAGES, ...(wanted.includes('arm64') ? ARM64_PACKAGES : [])], { log });

async function fetch(name: string): Promise<void> {
  const suite = suiteOf(name);
  if (suite) fetchKernel(suite, log);
  else if (name === 'arm64') await fetchArm64(log);
}

function run(name: string): Promise<Column> {
  const suite = suiteOf(name);
  log(
    name === 'here'
      ? "This machine's kernel ..."
      : `Booting Debian's ${suite ? SUITES[suite] : '6.1 for arm64'} ...`,
  );
  if (suite) return runDebian(suite, heard, log);
  return name === 'arm64' ? runArm64(heard, log) : runHere(heard);
}

const done: Column[] = [];
for (const name of wanted) {
  if (values.fetch) await fetch(name);
  else done.push(await run(name));
}
if (!values.fetch)
  process.stdout.write(values.json ? `${JSON.stringify(done, undefined, 2)}\n` : table(done));
// What cannot be done is a finding of this command.
process.exit(done.some(({ results }) => results.some(({ cell }) => cell.state === 'cannot')) ? 1 : 0);
