/**
 * What the agent costs on this kernel and how fast it is: exec storms counted to the last event, CPU and memory beside
 * libbpf-tools' execsnoop, slow-down of what runs beside it, death before the first instruction, time to the
 * acknowledged detection, time until RandomX's rounding is found, CPU burners in real cgroups. `--only storms,cost,...`; `--json` for JSON alone.
 */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { bundle } from '../../build/bundle.ts';
import { ensurePackages } from '../../build/debian-packages.mjs';
import { burners } from './agent/burners.ts';
import { killed } from './agent/killed.ts';
import { latency } from './agent/latency.ts';
import { rounding } from './agent/rounding.ts';
import { slowDown } from './agent/slow-down.ts';
import { storms } from './agent/storms.ts';
import { Grounds } from './load/grounds.ts';
import { Storms } from './load/storm.ts';

const MEASURES = { storms, killed, latency, rounding, slowDown, burners } as const;
type Measure = keyof typeof MEASURES;

const { values } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' } } });
const wanted = (values.only?.split(',') ?? Object.keys(MEASURES)) as Measure[];
const log = (line: string) => process.stderr.write(`${line}\n`);

await bundle();
await ensurePackages(['libbpf-tools'], { log });
const results: Record<string, unknown> = {};
for (const measure of wanted) {
  log(`${measure} ...`);
  await using grounds = new Grounds();
  results[measure] = await MEASURES[measure]({ grounds, load: await Storms.compile(grounds.folder), log });
  // A second look at the load of the machine says how far to trust the first.
  log(`${measure}: ${JSON.stringify(results[measure])}`);
}

const governor = '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor';
const report = {
  machine: {
    kernel: release(),
    cores: availableParallelism(),
    cpu: cpus()[0]?.model,
    governor: existsSync(governor) ? readFileSync(governor, 'utf8').trim() : null,
    load: loadavg(),
  },
  method:
    'One machine; the load, the agent and all else share its cores. The agent is the bundle with the flags and the ' +
    'environment of its image, in a process of its own, watching one cgroup; it is handed the events of the whole machine.',
  ...results,
};
console.log(JSON.stringify(report, null, 2));
