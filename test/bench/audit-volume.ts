/**
 * How much a cluster with one node sends to the audit webhook: under our policy, and beside it under one that records
 * everything with its objects. An idle while first, then ten Deployments of three pods are made and deleted.
 * `--seconds N` sets the idle while (default 60), `--json` the output.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { columns } from '../../cli/columns.ts';
import { startCluster } from '../cluster/cluster.ts';
import { must } from '../cluster/install.ts';
import { NODE_ADDRESS } from '../cluster/network-namespace.ts';
import { loadStandIn, STAND_IN_IMAGE } from '../cluster/stand-in.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, seconds: { type: 'string' } } });
const SECONDS = Number(values.seconds ?? 60);
const DEPLOYMENTS = 10;
const PORT = 9443;

const POLICIES = {
  ours: readFileSync(join(import.meta.dirname, '..', '..', 'manifests', 'audit', 'policy.yaml'), 'utf8'),
  everything: JSON.stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'RequestResponse' }],
  }),
};

/** Runs where the API server can reach it; prints events and bytes of each batch. */
const SINK = `
  import { createServer } from 'node:https';
  import { text } from 'node:stream/consumers';
  import { ephemeralCertificate } from '${join(import.meta.dirname, '..', '..', 'webhook', 'certificate-sources.ts')}';
  const { cert, key } = (await ephemeralCertificate(['${NODE_ADDRESS}'])).current;
  createServer({ cert, key }, async (request, response) => {
    const body = await text(request);
    response.end();
    console.log(JSON.parse(body).items.length, Buffer.byteLength(body));
  }).listen(${PORT}, '${NODE_ADDRESS}');`;

interface Volume {
  events: number;
  bytes: number;
}

async function measure(policy: string, log: (line: string) => void) {
  const audit = { url: `https://${NODE_ADDRESS}:${PORT}/audit`, policy };
  const cluster = await startCluster({ name: 'bench-audit', node: true, audit, log });
  const total: Volume = { events: 0, bytes: 0 };
  const [command = '', ...words] = [...cluster.enter, process.execPath];
  const sink = spawn(command, [...words, '--input-type=module-typescript', '-e', SINK], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  createInterface({ input: sink.stdout }).on('line', (line) => {
    const [events, bytes] = line.split(' ').map(Number);
    total.events += events ?? 0;
    total.bytes += bytes ?? 0;
  });
  /** What arrives while something happens, and the batch that is still waiting after it. */
  const during = async (act: () => Promise<unknown>): Promise<Volume> => {
    const before = { ...total };
    await act();
    await pause(3_000);
    return { events: total.events - before.events, bytes: total.bytes - before.bytes };
  };
  try {
    loadStandIn(cluster);
    // What the start of the cluster left waiting.
    await pause(15_000);
    const idle = await during(() => pause(SECONDS * 1_000));
    const work = await during(async () => {
      const names = Array.from({ length: DEPLOYMENTS }, (_, n) => `web-${n}`);
      for (const name of names) {
        const image = `--image=${STAND_IN_IMAGE}`;
        await must(cluster, [
          'create',
          'deployment',
          name,
          image,
          '--replicas=3',
          '--',
          '/bin/busybox',
          'sleep',
          '600',
        ]);
      }
      await must(cluster, ['rollout', 'status', 'deployment', '--timeout=90s', ...names.slice(-1)]);
      await must(cluster, ['delete', 'deployment', '--all', '--wait=false']);
      await pause(10_000);
    });
    return {
      idlePerSecond: { events: idle.events / SECONDS, bytes: idle.bytes / SECONDS },
      perDeployment: { events: work.events / DEPLOYMENTS, bytes: work.bytes / DEPLOYMENTS },
    };
  } finally {
    sink.kill();
    if (sink.exitCode === null && sink.signalCode === null) await once(sink, 'exit');
    await cluster.stop();
  }
}

const log = (line: string) => process.stderr.write(`${line}\n`);
const ours = await measure(POLICIES.ours, log);
const everything = await measure(POLICIES.everything, log);
if (values.json) process.stdout.write(`${JSON.stringify({ seconds: SECONDS, ours, everything })}\n`);
else {
  const row = (name: string, { idlePerSecond: idle, perDeployment: work }: typeof ours) => [
    name,
    idle.events.toFixed(2),
    (idle.bytes / 1024).toFixed(2),
    work.events.toFixed(0),
    (work.bytes / 1024).toFixed(0),
  ];
  const header = ['POLICY', 'IDLE EVENTS/S', 'IDLE KIB/S', 'EVENTS/DEPLOYMENT', 'KIB/DEPLOYMENT'];
  process.stdout.write(columns(header, [row('ours', ours), row('everything', everything)]));
}
