/**
 * The agent on this kernel: how long from exec to detection and to the acknowledged report, and whether an exec storm
 * is accounted for to the last event. Prints JSON.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Detection, DetectionReport } from '../../api/detection.ts';
import { Arena, whyNoKernel } from '../runtime/arena.ts';

const SAMPLES = 500;
/** A container shows so many different programs apart; the next sample starts another one. */
const PER_CONTAINER = 50;
const STORM = 20_000;

const reason = whyNoKernel();
if (reason !== undefined) {
  process.stderr.write(`The benchmark needs the kernel: ${reason}\n`);
  process.exit(1);
}

/** Milliseconds between the exec in the kernel and now. Detections carry milliseconds, so this is exact to one. */
const since = ({ time }: Detection) => performance.timeOrigin + performance.now() - Date.parse(time);

function quantiles(samples: number[]): { p50: number; p99: number; max: number } {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

const round = (value: number) => Math.round(value * 10) / 10;

/** A webhook that acknowledges everything, and notes when. */
async function openWebhook(acknowledged: (detection: Detection) => void) {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { detections } = JSON.parse(body) as DetectionReport;
    response.end(JSON.stringify({ acknowledged: detections.map(({ id }) => id), rejected: [] }));
    for (const detection of detections) acknowledged(detection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

async function latency() {
  const detected = new Map<string, number>();
  const acknowledged = new Map<string, number>();
  const webhook = await openWebhook((detection) => {
    if (!acknowledged.has(detection.id)) acknowledged.set(detection.id, since(detection));
  });
  const spool = mkdtempSync(join(tmpdir(), 'kubesentry-bench-'));
  const arena = await Arena.open({
    onDetection: (detection) => {
      if (!detected.has(detection.id)) detected.set(detection.id, since(detection));
    },
    webhook: { url: webhook.url, ca: async () => undefined, token: async () => 'bench', spool },
  });
  try {
    const xmrig = arena.standIn('xmrig');
    for (let sample = 0; sample < SAMPLES; sample++) {
      const cgroup = arena.child(`container-${Math.floor(sample / PER_CONTAINER)}`);
      await arena.run([xmrig, '0', `sample-${sample}`], { cgroup });
    }
    const deadline = performance.now() + 10_000;
    while (acknowledged.size < SAMPLES && performance.now() < deadline) await pause(10);
  } finally {
    await arena[Symbol.asyncDispose]();
    webhook.close();
    rmSync(spool, { recursive: true });
  }
  return {
    samples: SAMPLES,
    detected: detected.size,
    acknowledged: acknowledged.size,
    execToDetectionMs: quantiles([...detected.values()]),
    execToAcknowledgedMs: quantiles([...acknowledged.values()]),
  };
}

async function storm() {
  const arena = await Arena.open();
  try {
    await arena.settled();
    const before = arena.agent.stats();
    const cpu = process.cpuUsage();
    const started = performance.now();
    await arena.run(['/bin/bash', '-c', `seq ${STORM} | xargs -n1 -P2 /bin/true`]);
    const seconds = (performance.now() - started) / 1000;
    await arena.settled();
    const used = process.cpuUsage(cpu);
    const after = arena.agent.stats();
    const dropped = (after.sensor.dropped.exec ?? 0) - (before.sensor.dropped.exec ?? 0);
    // Beside the storm: the bash that runs it, seq, xargs, and the marker that settled waits for.
    const beside = 4;
    const seen = after.executions - before.executions - beside;
    return {
      sent: STORM,
      seen,
      dropped,
      accounted: seen + dropped === STORM,
      perSecond: Math.round(STORM / seconds),
      cpuMicrosecondsPerExec: round((used.user + used.system) / STORM),
    };
  } finally {
    await arena[Symbol.asyncDispose]();
  }
}

console.log(JSON.stringify({ latency: await latency(), storm: await storm() }, null, 2));
