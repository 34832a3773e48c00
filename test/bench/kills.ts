/**
 * The agent killed with SIGKILL at random moments while miners start, `--rounds 60` times over: ends with 1 when anything
 * that was on disk is lost, counted twice, or left in the kernel.
 */
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { bundle } from '../../build/bundle.ts';
import { killRounds } from './load/kill-rounds.ts';

const METHOD =
  'The bundled agent in a process of its own reports to the real webhook over objects in memory. Twenty miners start in ' +
  'each round, 100 a second; within 0.4 s the agent is killed and started again over its spool. On disk: files of the ' +
  'spool at that moment. Left in the kernel: links, programs and maps of the dead agent that bpftool still shows.';

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, rounds: { type: 'string', default: '60' } },
});
await bundle();
const outcome = await killRounds({ rounds: Number(values.rounds) });
const machine = { cores: availableParallelism(), load: loadavg() };
console.log(JSON.stringify({ method: METHOD, machine, ...outcome }, null, 2));
const { twice, lostFromDisk, leftInKernel } = outcome;
process.exitCode = twice.length + lostFromDisk.length + leftInKernel.length === 0 ? 0 : 1;
