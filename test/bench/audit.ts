/**
 * How many audit events a second one core turns into kept facts, whether memory stays flat, and how long questions
 * take over a long history: SQLite, and beside it PostgreSQL where it is installed, with a tenth of the history.
 * `--facts N` sets the length of the history (default 2,000,000), `--json` the output.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RETENTION } from '../../webhook/audit/columns.ts';
import { readEvent } from '../../webhook/audit/event.ts';
import type { Fact } from '../../webhook/audit/fact.ts';
import { PostgresFacts } from '../../webhook/audit/postgres.ts';
import { SqliteFacts } from '../../webhook/audit/sqlite.ts';
import type { FactQuery, FactStore } from '../../webhook/audit/store.ts';
import { postgresServer, whyNoPostgres } from '../webhook/audit/postgres-server.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, facts: { type: 'string' } } });
const FACTS = Number(values.facts ?? 2_000_000);
const BATCH = 400;
const QUESTIONS = 1000;
const START = Date.parse('2026-11-20T00:00:00Z');

/** One of many users writes one of many Deployments; every event reaches the store. */
function eventOf(n: number): object {
  const name = `web-${n % 5000}`;
  const namespace = `team-${n % 100}`;
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    auditID: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    stage: 'ResponseComplete',
    requestURI: `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`,
    verb: 'update',
    user: { username: `user-${n % 1000}`, groups: ['system:authenticated'] },
    sourceIPs: [`10.0.${n % 40}.${n % 250}`],
    userAgent: 'kubectl/v1.36.3 (linux/amd64)',
    objectRef: { resource: 'deployments', namespace, name, apiGroup: 'apps', apiVersion: 'v1' },
    responseStatus: { code: 200 },
    requestReceivedTimestamp: new Date(START + n * 100).toISOString(),
    annotations: { 'authorization.k8s.io/decision': 'allow' },
    requestObject: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace, uid: `uid-${n % 20_000}` },
      spec: {
        template: {
          spec: { containers: [{ name: 'main', image: `registry.example.com/app:${n % 3000}` }] },
        },
      },
    },
  };
}

function questionOf(n: number, history: number): FactQuery {
  const range = { from: START, to: START + history * 100, limit: 1000 };
  const kinds: Partial<FactQuery>[] = [
    { user: `user-${n % 1000}`, writesOnly: true },
    { address: `10.0.${n % 40}.${n % 250}`, writesOnly: true },
    { namespace: `team-${n % 100}`, resource: 'deployments', name: `web-${n % 5000}`, writesOnly: true },
    { uid: `uid-${n % 20_000}` },
    { resource: 'clusterrolebindings', writesOnly: true },
    { user: `user-${n % 1000}`, resource: 'secrets' },
    { facet: `owner:team-${n % 100}/Deployment/web-${n % 5000}`, writesOnly: true },
  ];
  return { ...range, ...kinds[n % kinds.length] };
}

/** Only what the webhook does counts: reading the text of a batch, and keeping what is in it. */
async function measure(name: string, store: FactStore, history: number): Promise<Record<string, unknown>> {
  const memory: number[] = [];
  let [busy, processor, slowest] = [0, 0, 0];
  for (let n = 0; n < history; n += BATCH) {
    const size = Math.min(BATCH, history - n);
    const text = JSON.stringify(Array.from({ length: size }, (_, at) => eventOf(n + at)));
    const started = performance.now();
    const before = process.cpuUsage();
    const facts = (JSON.parse(text) as unknown[]).flatMap((event): Fact[] => {
      const reading = readEvent(event);
      return 'fact' in reading ? [reading.fact] : [];
    });
    await store.add(facts);
    const { user, system } = process.cpuUsage(before);
    const took = performance.now() - started;
    busy += took;
    processor += user + system;
    slowest = Math.max(slowest, took);
    if (n % (BATCH * 250) === 0) memory.push(Math.round(process.memoryUsage().rss / 1024 ** 2));
  }
  const times: number[] = [];
  for (let n = 0; n < QUESTIONS; n++) {
    const started = performance.now();
    await store.find(questionOf(n, history));
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const at = (part: number) => Number((times[Math.floor(times.length * part)] ?? 0).toFixed(2));
  return {
    store: name,
    facts: history,
    eventsPerSecond: Math.round((history * 1000) / busy),
    eventsPerCpuSecond: Math.round((history * 1e6) / processor),
    slowestBatchMs: Math.round(slowest),
    rssMiB: { first: memory[0] ?? 0, last: memory.at(-1) ?? 0, most: Math.max(0, ...memory) },
    queryMs: { p50: at(0.5), p99: at(0.99), most: at(0.9999) },
  };
}

const UNBOUNDED = { ...RETENTION, bytes: Number.MAX_SAFE_INTEGER };

async function sqlite(): Promise<Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), 'kubesentry-bench-'));
  try {
    const file = join(folder, 'facts.db');
    const store = new SqliteFacts(file, UNBOUNDED);
    const result = await measure('sqlite', store, FACTS);
    await store.close();
    return { ...result, fileMiB: Math.round(statSync(file).size / 1024 ** 2) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function postgres(): Promise<Record<string, unknown>> {
  const skipped = whyNoPostgres();
  if (skipped !== undefined) return { store: 'postgres', skipped };
  const server = await postgresServer();
  const { url } = await server.createDatabase();
  const store = await PostgresFacts.open(url, UNBOUNDED);
  try {
    // Its processor time is spent in another process, which this does not see.
    return await measure('postgres', store, Math.ceil(FACTS / 10));
  } finally {
    await store.close();
    await server.release();
  }
}

const results = [await sqlite(), await postgres()];
if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
else {
  for (const { store, facts, skipped, eventsPerSecond, rssMiB, queryMs } of results) {
    process.stdout.write(
      skipped === undefined
        ? `${facts} events into ${store}: ${eventsPerSecond} a second; memory ${JSON.stringify(rssMiB)} MiB; questions ${JSON.stringify(queryMs)} ms\n`
        : `${store}: ${skipped}\n`,
    );
  }
}
