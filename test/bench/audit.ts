/**
 * How many audit events a second one core turns into kept facts, whether memory stays flat, and how long questions
 * take over a long history. `--facts N` sets the length of the history (default 2,000,000), `--json` the output.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RETENTION } from '../../webhook/audit/columns.ts';
import { readEvent } from '../../webhook/audit/event.ts';
import type { Fact } from '../../webhook/audit/fact.ts';
import { SqliteFacts } from '../../webhook/audit/sqlite.ts';
import type { FactQuery } from '../../webhook/audit/store.ts';

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

function questionOf(n: number): FactQuery {
  const range = { from: START, to: START + FACTS * 100, limit: 1000 };
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

function rate(count: number, from: number): number {
  return Math.round((count * 1000) / (performance.now() - from));
}

const folder = mkdtempSync(join(tmpdir(), 'kubesentry-bench-'));
try {
  const file = join(folder, 'facts.db');
  const store = new SqliteFacts(file, { ...RETENTION, bytes: Number.MAX_SAFE_INTEGER });
  const began = performance.now();
  const processor = process.cpuUsage();
  const memory: number[] = [];
  let [slowest, lastRate] = [0, 0];
  for (let n = 0; n < FACTS; ) {
    // The text of a batch, as the API server sends it: parsing is part of the work.
    const text = JSON.stringify(
      Array.from({ length: Math.min(BATCH, FACTS - n) }, (_, at) => eventOf(n + at)),
    );
    const started = performance.now();
    const facts = (JSON.parse(text) as unknown[]).flatMap((event): Fact[] => {
      const reading = readEvent(event);
      return 'fact' in reading ? [reading.fact] : [];
    });
    await store.add(facts);
    slowest = Math.max(slowest, performance.now() - started);
    n += facts.length;
    lastRate = rate(facts.length, started);
    if (n % (BATCH * 250) === 0) memory.push(Math.round(process.memoryUsage().rss / 1024 ** 2));
  }
  const eventsPerSecond = rate(FACTS, began);
  const { user, system } = process.cpuUsage(processor);
  const eventsPerCpuSecond = Math.round(FACTS / ((user + system) / 1e6));

  const times: number[] = [];
  for (let n = 0; n < QUESTIONS; n++) {
    const started = performance.now();
    await store.find(questionOf(n));
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const at = (part: number) => Number((times[Math.floor(times.length * part)] ?? 0).toFixed(2));
  await store.close();
  const result = {
    store: 'sqlite',
    facts: FACTS,
    eventsPerSecond,
    eventsPerCpuSecond,
    lastBatchPerSecond: lastRate,
    slowestBatchMs: Math.round(slowest),
    rssMiB: { first: memory[0] ?? 0, last: memory.at(-1) ?? 0, most: Math.max(0, ...memory) },
    fileMiB: Math.round(statSync(file).size / 1024 ** 2),
    queryMs: { p50: at(0.5), p99: at(0.99), most: at(0.9999) },
  };
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    process.stdout.write(
      `${FACTS} events into ${result.store}: ${eventsPerSecond} a second, ${result.rssMiB.most} MiB of memory at most, ` +
        `${result.fileMiB} MiB of file\n${QUESTIONS} questions: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms\n`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
