/**
 * Admission beside Pepr and beside the most that Node can do, in one run: the same reviews over the same kind of
 * connection, one server at a time; then what indicators, bans and large objects cost; then what the webhook adds to
 * a request to a real API server. Our webhook runs as in its image, with its records and its log on.
 */
import { execFile } from 'node:child_process';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { startCluster } from '../cluster/cluster.ts';
import { addedLatency } from './admission/added-latency.ts';
import type { LoadOptions, LoadResult } from './admission/load.ts';
import { startOurs } from './admission/ours.ts';
import { PEPR_VERSION, startPepr } from './admission/pepr.ts';
import type { CostCurves } from './admission/scaling.ts';
import { type ServerProcess, startServer } from './admission/server-process.ts';

const METHOD =
  'Server and generator are processes of one machine and share its cores. Every review is sent once: names, uids, ' +
  'images and arguments differ. Rounds alternate between the servers, so that what else the machine does meets all ' +
  'of them; the first round of each is not counted. Keep-alive HTTP/1.1 over TLS 1.3. Medians over rounds, with the ' +
  'lowest and the highest. Latencies are from the last byte written to the last byte read. CPU is that of the whole ' +
  'server process, memory its resident set: before, right after the last round, 45 seconds later, and after two and a half ' +
  'minutes of calm. ' +
  'Logs go to /dev/null. Pepr and the ceiling look for one regular expression in pods and DaemonSets; Kubesentry ' +
  'judges everything that it judges in a cluster.';

/** The webhook gives back what a storm took when it has been calm for half a minute (collect-in-calm.ts). */
const SOON_SECONDS = 45;

/** V8 gives back what it no longer needs when it has not collected for 100 s (kWatchdogDelayMs, memory-reducer.cc). */
const CALM_SECONDS = 150;

/** Measured once on a machine like this one, 50 connections, four policies, a DaemonSet of 3.3 kB. */
const ELSEWHERE = {
  'Gatekeeper 3.23.1 (CEL)': { perSecond: 1560, p50: 30, p99: 58, memoryMiB: 115 },
  'Kyverno 1.19.1 (ValidatingPolicy)': { perSecond: 2151, p50: 18, p99: 299, memoryMiB: 184 },
};

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '6' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const log = (line: string) => process.stderr.write(`${line}\n`);
const run = promisify(execFile);

const SCENES = {
  'a day, 10 connections': { connections: 10, mix: 'day' },
  'a day, 50 connections': { connections: 50, mix: 'day' },
  'DaemonSets, 50 connections': { connections: 50, mix: 'daemonset' },
} as const satisfies Record<string, Pick<LoadOptions, 'connections' | 'mix'>>;

interface Round extends LoadResult {
  cpuMicroseconds: number;
}

/** MiB. */
interface Memory {
  idle: number;
  after: number;
  soon: number;
  calm: number;
}

interface Summary {
  perSecond: [median: number, low: number, high: number];
  p50: number;
  p99: number;
  max: number;
  cpuMicroseconds: number;
  wrong: number;
  errors: number;
}

/** Reviews sent so far: the number of a review is what makes it differ from all others. */
let sent = 0;

async function oneRound(server: ServerProcess, scene: Pick<LoadOptions, 'connections' | 'mix'>) {
  const reviews = 12_000 * seconds;
  const options: LoadOptions = { ...scene, url: server.url, seconds, first: sent, reviews };
  sent += reviews;
  const before = server.cpu();
  const load = join(import.meta.dirname, 'admission', 'load.ts');
  const { stdout } = await run(process.execPath, [load, JSON.stringify(options)]);
  const result = JSON.parse(stdout) as LoadResult;
  return { ...result, cpuMicroseconds: ((server.cpu() - before) * 1000) / result.requests };
}

async function throughput(servers: readonly ServerProcess[]) {
  const idle = servers.map((server) => server.memory());
  const scenes: Record<string, Record<string, Summary>> = {};
  for (const [title, scene] of Object.entries(SCENES)) {
    const results = servers.map((): Round[] => []);
    for (let round = 0; round <= rounds; round++) {
      for (const [index, server] of servers.entries()) {
        const result = await oneRound(server, scene);
        if (round > 0) results[index]?.push(result);
      }
      log(`${title}: ${round} of ${rounds} rounds`);
    }
    scenes[title] = Object.fromEntries(
      servers.map(({ name }, index) => [name, summary(results[index] ?? [])]),
    );
  }
  const memory = { idle, after: memories(servers), soon: await memoriesAfter(servers, SOON_SECONDS) };
  return { scenes, memory };
}

const memories = (servers: readonly ServerProcess[]) => servers.map((server) => server.memory());

async function memoriesAfter(servers: readonly ServerProcess[], seconds: number): Promise<number[]> {
  log(`${seconds} seconds of calm ...`);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return memories(servers);
}

/** MiB of each server, by what it was measured at. */
function byServer(servers: readonly ServerProcess[], memory: Record<keyof Memory, number[]>) {
  return Object.fromEntries(
    servers.map(({ name }, index) => {
      const of = (when: keyof Memory) => Math.round(memory[when][index] ?? 0);
      return [name, { idle: of('idle'), after: of('after'), soon: of('soon'), calm: of('calm') }];
    }),
  );
}

function summary(results: readonly Round[]): Summary {
  const of = (field: keyof Round) => results.map((result) => result[field]).toSorted((a, b) => a - b);
  const median = (field: keyof Round) => of(field)[Math.floor(results.length / 2)] ?? 0;
  const sum = (field: keyof Round) => of(field).reduce((total, value) => total + value, 0);
  const rates = of('perSecond').map(Math.round);
  return {
    perSecond: [Math.round(median('perSecond')), rates[0] ?? 0, rates.at(-1) ?? 0],
    p50: rounded(median('p50')),
    p99: rounded(median('p99')),
    max: rounded(of('max').at(-1) ?? 0),
    cpuMicroseconds: Math.round(median('cpuMicroseconds')),
    wrong: sum('wrong'),
    errors: sum('errors'),
  };
}

const rounded = (value: number) => Math.round(value * 100) / 100;

async function costCurves(): Promise<CostCurves> {
  log('What indicators, bans and large objects cost ...');
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, 'admission', 'scaling.ts')]);
  return JSON.parse(stdout) as CostCurves;
}

/** Our requests a second over those of the others, and our slowest percent beside Pepr's median. */
function ratios(scenes: Record<string, Record<string, Summary>>) {
  return Object.fromEntries(
    Object.entries(scenes).map(([title, { Kubesentry: ours, Pepr: pepr, ceiling }]) => [
      title,
      ours && pepr && ceiling
        ? {
            'requests/s over Pepr': rounded(ours.perSecond[0] / pepr.perSecond[0]),
            'CPU of Pepr over ours': rounded(pepr.cpuMicroseconds / ours.cpuMicroseconds),
            "p99 over Pepr's p50": rounded(ours.p99 / pepr.p50),
            'requests/s over the ceiling': rounded(ours.perSecond[0] / ceiling.perSecond[0]),
          }
        : {},
    ]),
  );
}

const cluster = await startCluster({ name: 'bench-admission', log });
const machine = `${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)} before`;
const started: ServerProcess[] = [];
try {
  const ceiling = join(import.meta.dirname, 'admission', 'ceiling.ts');
  const ours = await startOurs(cluster, log);
  started.push(
    ours,
    await startPepr(log),
    await startServer('ceiling', [ceiling, '3999'], 'https://127.0.0.1:3999/validate'),
  );
  const { scenes, memory } = await throughput(started);
  const warm = await addedLatency(cluster, log);
  const memoryMiB = byServer(started, { ...memory, calm: await memoriesAfter(started, CALM_SECONDS) });
  // V8 has dropped the code that it had compiled meanwhile, as on a cluster where little happens.
  const apiServer = { warm, afterCalm: await addedLatency(cluster, log) };
  const curves = await costCurves();
  const result = {
    pepr: PEPR_VERSION,
    machine: `${machine}, ${loadavg()[0]?.toFixed(1)} after`,
    rounds,
    seconds,
    method: METHOD,
    ratios: ratios(scenes),
    scenes,
    memoryMiB,
    apiServer,
    curves,
    elsewhere: ELSEWHERE,
  };
  if (values.json) console.log(JSON.stringify(result, null, 2));
  else print(result);
} finally {
  for (const server of started) await server.stop();
  await cluster.stop();
}

function print({ scenes, memoryMiB, apiServer, curves, ratios: compared, machine }: Printed): void {
  const row = (cells: readonly (string | number)[]) =>
    console.log(cells.map((cell, at) => (at === 0 ? `${cell}`.padEnd(34) : `${cell}`.padStart(12))).join(''));
  row(['', 'REQ/S', 'P50 MS', 'P99 MS', 'CPU US', 'WRONG', 'ERRORS']);
  for (const [title, servers] of Object.entries(scenes)) {
    console.log(title);
    for (const [name, { perSecond, p50, p99, cpuMicroseconds, wrong, errors }] of Object.entries(servers)) {
      row([`  ${name}`, perSecond[0], p50, p99, cpuMicroseconds, wrong, errors]);
    }
  }
  for (const [title, numbers] of Object.entries(compared)) {
    console.log(
      `${title}: ${Object.entries(numbers)
        .map(([what, value]) => `${what} ${value}`)
        .join(', ')}`,
    );
  }
  for (const [name, { idle, after, soon, calm }] of Object.entries(memoryMiB)) {
    console.log(
      `${name}: ${idle} MiB idle, ${after} MiB after the load, ${soon} MiB 45 seconds later, ${calm} MiB once it is calm`,
    );
  }
  console.log(`API server, dry-run POST: ${JSON.stringify(apiServer)}`);
  for (const [title, points] of Object.entries(curves)) {
    console.log(
      `${title}: ${points.map(({ size, microseconds }) => `${size}: ${microseconds} us`).join(', ')}`,
    );
  }
  console.log(`\n${machine}. ${METHOD}`);
}

interface Printed {
  machine: string;
  ratios: Record<string, Record<string, number>>;
  scenes: Record<string, Record<string, Summary>>;
  memoryMiB: Record<string, Memory>;
  apiServer: object;
  curves: CostCurves;
}
