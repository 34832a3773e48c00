/**
 * The agent under steady load for as long as is wanted (`--minutes 30`): whether its memory grows, and whether any
 * detection is lost while the webhook restarts, the network is cut, answers are lost and the disk of the spool is full.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { bundle } from '../../build/bundle.ts';
import { AgentProcess } from './load/agent-process.ts';
import { Collections } from './load/collections.ts';
import { ControlSide } from './load/control-side.ts';
import { Grounds } from './load/grounds.ts';
import { Plants } from './load/plants.ts';
import { reporting } from './load/reporting.ts';
import { Storms } from './load/storm.ts';
import { blockMeans, type Trend, trendOf } from './load/trend.ts';

const RATE = 500;
/** The disk of the spool, in KiB: about so many detections fit as it has pages of four. */
const DISK_KIB = 1024;
const SAMPLE_MS = 1000;
const BLOCKS = 24;

const METHOD =
  `The bundled agent with the flags of its image in a process of its own; ${RATE} execs, each with an argument of its ` +
  `own, and ${RATE} connects to ever other addresses a second, and two planted miners a ` +
  'second, in pods that come and go, each miner with an argument of its own. The webhook is ' +
  'the real one over objects in memory; a relay in front of it notes acknowledgements. Faults, in this order: webhook ' +
  'restarted, connections cut and refused, answers lost after the webhook took the report, disk of the spool ' +
  `(${DISK_KIB} KiB) filled while the network is cut, webhook restarted again. The same load and all these faults come ` +
  'first in a warm-up: pages that are touched and code that is compiled for the first time count to it, since they ' +
  'grow once, and a leak grows for ever. Then the minutes that count begin, all of them, with all faults again. ' +
  `Memory: resident size every second, means of ${BLOCKS} blocks, Theil-Sen slope with the 95 % interval of Kendall's ` +
  'score. Heap: in use after each full collection that V8 makes by itself, in the same way.';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    minutes: { type: 'string', default: '30' },
    'warm-up': { type: 'string', default: '8' },
  },
});

/** A stretch of time in which everything goes wrong once. */
interface Spell {
  /** On the clock of `performance`. */
  began: number;
  milliseconds: number;
}

const warmUp: Spell = { began: performance.now(), milliseconds: Number(values['warm-up']) * 60_000 };
const log = (line: string) => process.stderr.write(`${line}\n`);
const share = ({ began, milliseconds }: Spell) => (performance.now() - began) / milliseconds;
const load = [loadavg()[0] ?? 0];
const minutes = () => round((performance.now() - warmUp.began) / 60_000);

await bundle();
await using grounds = new Grounds();
await using control = await ControlSide.open();
const storms = await Storms.compile(grounds.folder);
const xmrig = join(grounds.folder, 'xmrig');
copyFileSync(storms.nothing, xmrig);
const spool = join(grounds.folder, 'spool');
mkdirSync(spool);
execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_KIB}k`, 'tmpfs', spool]);
const collections = new Collections(minutes);
let agent: AgentProcess | undefined;
try {
  agent = await AgentProcess.start({
    cgroup: grounds.path,
    args: await reporting(grounds.folder, control),
    flags: ['--trace-gc'],
    onLine: collections.note,
  });
  log('The agent watches; the load begins.');
  const plants = new Plants({ grounds, control, storms, program: xmrig });
  const result = await soak(agent, plants);
  console.log(JSON.stringify(result, null, 2));
  process.exitCode = result.detections.lostUncounted === 0 ? 0 : 1;
} finally {
  await agent?.stop();
  execFileSync('umount', [spool]);
}

async function soak(agent: AgentProcess, plants: Plants) {
  warmUp.began = performance.now();
  const measured: Spell = {
    began: warmUp.began + warmUp.milliseconds,
    milliseconds: Number(values.minutes) * 60_000,
  };
  const count = (RATE * (warmUp.milliseconds + measured.milliseconds)) / 1000;
  const exec = storms.run({
    kind: 'exec',
    rate: RATE,
    count,
    cgroup: grounds.child('exec'),
    // Below a device nothing can be made.
    prefix: '/dev/null/',
  });
  const connect = storms.run({
    kind: 'connect',
    rate: RATE,
    count,
    cgroup: grounds.child('connect'),
    addresses: 65_000,
  });
  const over = new AbortController();
  const planted = plants.plantUntil(over.signal);
  const start = agent.footprint;
  await trouble(warmUp, agent, plants);
  await pause(Math.max(0, measured.began - performance.now()));
  log('warm; what counts begins');
  const troubled = trouble(measured, agent, plants);
  const resident: [minutes: number, mib: number][] = [];
  const first = agent.footprint;
  let peak = 0;
  while (share(measured) < 1) {
    await pause(SAMPLE_MS);
    const { rssMiB } = agent.footprint;
    peak = Math.max(peak, rssMiB);
    resident.push([minutes(), rssMiB]);
  }
  over.abort();
  await troubled;
  await planted;
  const sent = { exec: await exec, connect: await connect };
  log('the load is over; waiting for the last acknowledgement');
  const last = agent.footprint;
  const isSettled = await plants.settled(agent);
  const counts = await agent.counts();
  load.push(loadavg()[0] ?? 0);
  const blocks = blockMeans(resident, BLOCKS);
  const trend = trendOf(blocks);
  const warm = collections.inUse.filter(
    ([at]) => at >= Number(values['warm-up']) && at < Number(values['warm-up']) + Number(values.minutes),
  );
  const outcome = plants.outcome();
  const countedLost = counts.get('spool_lost_total') ?? 0;
  return {
    method: METHOD,
    minutes: Number(values.minutes),
    warmUpMinutes: Number(values['warm-up']),
    machine: { cores: availableParallelism(), load },
    memory: {
      start,
      warm: first,
      end: last,
      peakRssMiB: peak,
      ...told(trend),
      /** Means of the blocks, in MiB. */
      course: blocks.map(([, mib]) => round(mib)),
      /** What fades is in the first half alone, and a leak in both. */
      halves: [blocks.slice(0, BLOCKS / 2), blocks.slice(BLOCKS / 2)].map((half) => told(trendOf(half))),
      isFlat: trend.interval[0] <= 0 && trend.interval[1] >= 0,
    },
    heap: {
      collections: warm.length,
      ...told(trendOf(blockMeans(warm, BLOCKS))),
      course: blockMeans(warm, BLOCKS).map(([, mib]) => round(mib)),
    },
    load: sent,
    cpuShareOfOneCore: round(((last.cpuSeconds - first.cpuSeconds) * 1000) / measured.milliseconds),
    events: {
      handled: counts.get('events_total'),
      executed: counts.get('executions_total'),
      folded: sumOf(counts, 'events_folded_total'),
      dropped: sumOf(counts, 'events_dropped_total'),
    },
    detections: {
      ...outcome,
      countedLost,
      lostUncounted: Math.max(0, outcome.missing - countedLost),
      rejected: counts.get('detections_rejected_total'),
      reportFailures: counts.get('report_failures_total'),
      spoolEmptied: isSettled,
    },
  };
}

/** Everything that goes wrong, at its share of the time. */
async function trouble(spell: Spell, agent: AgentProcess, plants: Plants): Promise<void> {
  const at = async (when: number) => pause(Math.max(0, (when - share(spell)) * spell.milliseconds));
  const long = Math.min(10_000, spell.milliseconds / 20);
  await at(0.25);
  await control.stopWebhook();
  await pause(long / 2);
  await control.startWebhook();
  log('webhook restarted');
  await at(0.4);
  control.network = 'cut';
  await pause(long);
  control.network = 'open';
  log('network cut and mended');
  await at(0.5);
  control.network = 'deaf';
  await pause(long);
  control.network = 'open';
  log('answers lost and given again');
  await at(0.65);
  await plants.fillDisk(DISK_KIB / 4 + 150, agent);
  log('disk of the spool filled and emptied');
  await at(0.85);
  await control.stopWebhook();
  await pause(long / 2);
  await control.startWebhook();
  log('webhook restarted again');
}

function told({ slope, interval, points }: Trend) {
  return {
    slopeKiBPerMinute: round(slope * 1024),
    interval95: interval.map((bound) => round(bound * 1024)),
    points,
  };
}

function sumOf(counts: ReadonlyMap<string, number>, metric: string): number {
  return [...counts].filter(([name]) => name.startsWith(metric)).reduce((sum, [, count]) => sum + count, 0);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
