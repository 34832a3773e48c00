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
import { ControlSide } from './load/control-side.ts';
import { Grounds } from './load/grounds.ts';
import { Plants } from './load/plants.ts';
import { reporting } from './load/reporting.ts';
import { Storms } from './load/storm.ts';
import { blockMeans, trendOf } from './load/trend.ts';

const RATE = 500;
/** The disk of the spool, in KiB: about so many detections fit as it has pages of four. */
const DISK_KIB = 1024;
const SAMPLE_MS = 1000;
const BLOCKS = 24;

const METHOD =
  `The bundled agent with the flags of its image in a process of its own; ${RATE} execs, each with an argument of its ` +
  `own, and ${RATE} connects to ever other addresses a second, and two planted miners a ` +
  'second, in pods that come and go, each miner with an argument of its own. The webhook is ' +
  'the real one over objects in memory; a relay in front of it notes acknowledgements. Memory: resident size every ' +
  `second after a fifth of the time, means of ${BLOCKS} blocks, Theil-Sen slope with the 95 % interval of Kendall's ` +
  'score. Faults, in this order: webhook restarted, connections cut and refused, answers lost after the webhook took ' +
  `the report, disk of the spool (${DISK_KIB} KiB) filled while the network is cut, webhook restarted again.`;

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, minutes: { type: 'string', default: '30' } },
});
const milliseconds = Number(values.minutes) * 60_000;
const log = (line: string) => process.stderr.write(`${line}\n`);
const began = performance.now();
const share = () => (performance.now() - began) / milliseconds;
const load = [loadavg()[0] ?? 0];

await bundle();
await using grounds = new Grounds();
await using control = await ControlSide.open();
const storms = await Storms.compile(grounds.folder);
const xmrig = join(grounds.folder, 'xmrig');
copyFileSync(storms.nothing, xmrig);
const spool = join(grounds.folder, 'spool');
mkdirSync(spool);
execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_KIB}k`, 'tmpfs', spool]);
let agent: AgentProcess | undefined;
try {
  agent = await AgentProcess.start({ cgroup: grounds.path, args: await reporting(grounds.folder, control) });
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
  const exec = storms.run({
    kind: 'exec',
    rate: RATE,
    count: (RATE * milliseconds) / 1000,
    cgroup: grounds.child('exec'),
    // Below a device nothing can be made.
    prefix: '/dev/null/',
  });
  const connect = storms.run({
    kind: 'connect',
    rate: RATE,
    count: (RATE * milliseconds) / 1000,
    cgroup: grounds.child('connect'),
    addresses: 65_000,
  });
  const over = new AbortController();
  const planted = plants.plantUntil(over.signal);
  const troubled = trouble(agent, plants);
  const resident: [minutes: number, mib: number][] = [];
  const first = agent.footprint;
  let peak = 0;
  while (share() < 1) {
    await pause(SAMPLE_MS);
    const { rssMiB } = agent.footprint;
    peak = Math.max(peak, rssMiB);
    if (share() > 0.2) resident.push([(performance.now() - began) / 60_000, rssMiB]);
  }
  over.abort();
  await troubled;
  await planted;
  const sent = { exec: await exec, connect: await connect };
  log('the load is over; waiting for the last acknowledgement');
  const isSettled = await plants.settled(agent);
  const counts = await agent.counts();
  const last = agent.footprint;
  load.push(loadavg()[0] ?? 0);
  const { slope, interval, points } = trendOf(blockMeans(resident, BLOCKS));
  const outcome = plants.outcome();
  const countedLost = counts.get('spool_lost_total') ?? 0;
  return {
    method: METHOD,
    minutes: Number(values.minutes),
    machine: { cores: availableParallelism(), load },
    memory: {
      start: first,
      end: last,
      peakRssMiB: peak,
      slopeKiBPerMinute: round(slope * 1024),
      interval95: interval.map((bound) => round(bound * 1024)),
      points,
      isFlat: interval[0] <= 0 && interval[1] >= 0,
    },
    load: sent,
    cpuShareOfOneCore: round(((last.cpuSeconds - first.cpuSeconds) * 1000) / milliseconds),
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
async function trouble(agent: AgentProcess, plants: Plants): Promise<void> {
  const at = async (when: number) => pause(Math.max(0, (when - share()) * milliseconds));
  const spell = Math.min(10_000, milliseconds / 20);
  await at(0.25);
  await control.stopWebhook();
  await pause(spell / 2);
  await control.startWebhook();
  log('webhook restarted');
  await at(0.4);
  control.network = 'cut';
  await pause(spell);
  control.network = 'open';
  log('network cut and mended');
  await at(0.5);
  control.network = 'deaf';
  await pause(spell);
  control.network = 'open';
  log('answers lost and given again');
  await at(0.65);
  await plants.fillDisk(DISK_KIB / 4 + 150, agent);
  log('disk of the spool filled and emptied');
  await at(0.85);
  await control.stopWebhook();
  await pause(spell / 2);
  await control.startWebhook();
  log('webhook restarted again');
}

function sumOf(counts: ReadonlyMap<string, number>, metric: string): number {
  return [...counts].filter(([name]) => name.startsWith(metric)).reduce((sum, [, count]) => sum + count, 0);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
