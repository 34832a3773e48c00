/**
 * The response on a real control plane with a fleet of light agents: how long from an acknowledged detection until its
 * namespace refuses pods, how long each step of the playbook takes, and what happens when 500 nodes report 20,000
 * detections in ten seconds. Each at three sizes. `--json`; `--scale 0.1` for a tenth of
 * everything; `--only 3` for the third size alone; `--open 100,1000` for a leader that finds so many incidents open.
 */
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { PLAYBOOK } from '../../api/playbook.ts';
import { everyObject } from '../../kube/every-object.ts';
import { KIND } from '../../kube/kind.ts';
import { type LightAgent, openAgents } from './fleet/agents.ts';
import { burst } from './fleet/burst.ts';
import { type ContainmentSample, contain } from './fleet/containment.ts';
import { journalEmptied, whereTheyAre } from './fleet/kept.ts';
import { openIncidents } from './fleet/open-incidents.ts';
import { patiently } from './fleet/patiently.ts';
import { allowNoGrace, type PlaybookSample, playBook } from './fleet/playbook.ts';
import { type FleetPod, makeNodes, populate } from './fleet/population.ts';
import { quantiles } from './fleet/quantiles.ts';
import { openRig, type Rig } from './fleet/rig.ts';
import { forgetPeak, sumsBy, type Usage, usageOf } from './fleet/usage.ts';

const METHOD =
  'One host: etcd, API server, controllers, webhook (a process of its own, bundled as in its image, with the rights of ' +
  'its manifest) and the fleet (one process) share its cores, and one clock. Containment: from the answer that ' +
  'acknowledged a detection until the first offered pod was refused; offers are dry runs, one after the other. Steps ' +
  'that look are timed from the acknowledgement, terminate from its approval, revoke and report from the step before ' +
  'them, by the times in the incident (whole milliseconds). Burst: open loop; a detection is timed from the moment ' +
  'that the kernel would have seen it, waiting for the report before it, being turned away and trying again included. ' +
  'As the real agent, a light one has one report under way, and what comes meanwhile goes together with the next. ' +
  'Every acknowledged id is looked for in the incidents afterwards. Memory is resident size; cpu is that of the whole ' +
  'process during the burst. Agents hold three watches over one HTTP/2 connection to the API server and one connection ' +
  'to the webhook, which it never lets go; their tokens are signed by the key of the cluster. Open: a replica that is ' +
  'ready just now finds incidents of single workloads, contained by one that died, ten in a namespace.';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    scale: { type: 'string', default: '1' },
    samples: { type: 'string', default: '210' },
    only: { type: 'string' },
    open: { type: 'string', default: '100,300,1000' },
  },
});
const scale = Number(values.scale);
const scaled = (number: number) => Math.max(1, Math.round(number * scale));
const BURST_MS = 10_000;
const ATTACKS = 5;

const SIZES: readonly Size[] = [
  { nodes: 100, agents: 1_000, pods: 1_000, incidents: 20, detections: 5_000 },
  { nodes: 250, agents: 2_500, pods: 3_000, incidents: 60, detections: 10_000 },
  { nodes: 500, agents: 5_000, pods: 10_000, incidents: 200, detections: 20_000 },
]
  .map(({ nodes, agents, pods, incidents, detections }) => ({
    nodes: scaled(nodes),
    agents: scaled(agents),
    pods: scaled(pods),
    incidents: scaled(incidents),
    detections: scaled(detections),
  }))
  .filter((_, index) => values.only === undefined || index + 1 === Number(values.only));

interface Size {
  /** From which detections come. */
  nodes: number;
  /** That hold watches and sessions. */
  agents: number;
  pods: number;
  incidents: number;
  detections: number;
}

const log = (line: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
const rig = await openRig(log);
const agents = new Map<string, LightAgent>();
try {
  await allowNoGrace(rig.admin);
  const stages: object[] = [];
  const all: ContainmentSample[] = [];
  const empty = memory(rig);
  const pods: FleetPod[] = [];
  for (const [index, size] of SIZES.entries()) {
    stages.push(await stage(index, size, pods, all));
  }
  const open: object[] = [];
  for (const incidents of values.open.split(',').filter(Boolean)) {
    open.push(await measuredIncidents(scaled(Number(incidents))));
  }
  print({
    open,
    machine: `${availableParallelism()} cores with a load of ${loadavg()[0]?.toFixed(1)}`,
    containment: containmentOf(all),
    empty,
    stages,
    method: METHOD,
  });
} finally {
  for (const agent of agents.values()) agent.close();
  await rig.close();
}

/** Grows the cluster to `size`, and measures there. */
async function stage(index: number, size: Size, pods: FleetPod[], all: ContainmentSample[]): Promise<object> {
  const before = SIZES[index - 1];
  log(`stage ${index + 1}: ${JSON.stringify(size)}`);
  await makeNodes(rig.admin, before?.nodes ?? 0, size.nodes);
  const fresh = await populate(rig.admin, {
    prefix: `app-${index}`,
    workloads: size.incidents,
    pods: size.pods - pods.length,
    nodes: size.nodes,
  });
  pods.push(...fresh);
  await settled(2_000);
  const withPods = memory(rig);
  log(`pods: ${JSON.stringify(withPods)}`);

  const began = performance.now();
  for (const agent of await openAgents(rig, agents.size, size.agents)) agents.set(agent.node, agent);
  const openedInMs = Math.round(performance.now() - began);
  await settled(2_000);
  const withAgents = memory(rig);
  log(`agents: ${JSON.stringify(withAgents)}, opened in ${openedInMs} ms`);

  const first = agents.get('node-0');
  if (!first) throw new Error('no agent on node-0');
  const samples: ContainmentSample[] = [];
  const many = Math.ceil(Number(values.samples) / SIZES.length);
  for (let number = 0; number < many; number++) {
    samples.push(await contain(rig.admin, first, `attack-${index}-${number}`));
  }
  all.push(...samples);
  log(`containment: ${JSON.stringify(containmentOf(samples))}`);

  const books: PlaybookSample[] = [];
  for (let number = 0; number < ATTACKS; number++) {
    books.push(await playBook(rig, first, `book-${index}-${number}`));
  }
  const playbook = Object.fromEntries(
    PLAYBOOK.map((step) => [step, quantiles(books.map((book) => book[step]))]),
  );
  log(`playbook: ${JSON.stringify(playbook)}`);

  const storm = await measuredBurst(size, fresh);
  log(`burst: ${JSON.stringify(storm)}`);
  const incidentsInAll = await patiently(async () => {
    let count = 0;
    for await (const _ of everyObject(rig.admin, KIND.Incident)) count++;
    return count;
  });
  return {
    size,
    incidentsInAll,
    memoryMiB: { withPods, withAgents, afterwards: memory(rig) },
    openedInMs,
    watchesHeld: [...agents.values()].reduce((sum, { held }) => sum + held, 0),
    watchesEnded: [...new Set([...agents.values()].flatMap(({ ended }) => ended ?? []))].slice(0, 3),
    watchedMiB: Math.round([...agents.values()].reduce((sum, { received }) => sum + received, 0) / 1024 ** 2),
    containment: containmentOf(samples),
    playbook,
    burst: storm,
  };
}

/** A new leader finds them all; what it does is timed from its readiness. */
async function measuredIncidents(incidents: number): Promise<object> {
  const agent = agents.get('node-0');
  if (!agent) throw new Error('no agent on node-0');
  const writes = await apiWrites();
  const { convergedMs, attacks } = await openIncidents(rig, agent, `open-${incidents}`, incidents);
  const written = (await apiWrites()) - writes;
  const result = {
    incidents,
    convergedMs,
    incidentsPerSecond: Math.round((incidents / convergedMs) * 10_000) / 10,
    // Those that made the incidents included, three for each.
    apiWrites: written,
    attacksMeanwhile: containmentOf(attacks),
    peakMiB: Object.fromEntries(Object.entries(usages(rig)).map(([name, { peakMiB }]) => [name, peakMiB])),
  };
  log(`open: ${JSON.stringify(result)}`);
  return result;
}

async function measuredBurst(size: Size, pods: readonly FleetPod[]): Promise<object> {
  const { pids } = rig;
  for (const pid of Object.values(pids)) forgetPeak(pid);
  const [writes, usage] = [await apiWrites(), usages(rig)];
  const result = await burst(agents, pods, size.detections, BURST_MS);
  const [writesAfter, usageAfter] = [await apiWrites(), usages(rig)];
  // What the response still has to do for the incidents is not part of the intake.
  const seconds = result.milliseconds / 1000;
  return {
    detections: result.latencies.length,
    reports: result.service.length,
    milliseconds: Math.round(result.milliseconds),
    intakeMs: quantiles(result.latencies),
    reportMs: quantiles(result.service),
    turnedAway: result.turnedAway,
    brokenOff: result.brokenOff,
    apiWritesPerSecond: Math.round((writesAfter - writes) / seconds),
    journalEmptyAfterMs: await journalEmptied(rig.admin),
    ...(await whereTheyAre(rig.admin, result.acknowledged)),
    peakMiB: Object.fromEntries(Object.entries(usageAfter).map(([name, { peakMiB }]) => [name, peakMiB])),
    cpuSeconds: Object.fromEntries(
      Object.entries(usageAfter).map(([name, after]) => [
        name,
        Math.round((after.cpuSeconds - (usage[name]?.cpuSeconds ?? 0)) * 10) / 10,
      ]),
    ),
  };
}

/** Writes that the API server has taken so far. */
async function apiWrites(): Promise<number> {
  const { stdout } = await rig.cluster.kubectl(['get', '--raw', '/metrics']);
  const byVerb = sumsBy(stdout, 'apiserver_request_total', 'verb');
  return ['POST', 'PUT', 'PATCH', 'APPLY', 'DELETE'].reduce((sum, verb) => sum + (byVerb.get(verb) ?? 0), 0);
}

function usages({ pids }: Rig): Record<string, Usage> {
  return Object.fromEntries(
    Object.entries({ ...pids, fleet: process.pid }).map(([name, pid]) => [name, usageOf(pid)]),
  );
}

function memory(of: Rig): Record<string, number> {
  return Object.fromEntries(Object.entries(usages(of)).map(([name, { residentMiB }]) => [name, residentMiB]));
}

function containmentOf(samples: readonly ContainmentSample[]) {
  return {
    samples: samples.length,
    sentToAcknowledgedMs: quantiles(samples.map(({ acknowledged }) => acknowledged)),
    acknowledgedToRefusedMs: quantiles(samples.map(({ refused }) => refused)),
    acknowledgedToLabelledMs: quantiles(samples.map(({ labelled }) => labelled)),
  };
}

function settled(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function print(
  result: { machine: string; method: string; stages: object[] } & Record<string, unknown>,
): void {
  if (values.json) {
    console.log(JSON.stringify(result, null, 2));
    return;
  }
  const { machine, method, ...rest } = result;
  for (const [name, part] of Object.entries(rest)) console.log(`${name}: ${JSON.stringify(part, null, 1)}`);
  console.log(`\nOn ${machine}. ${method}`);
}
