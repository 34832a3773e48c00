import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KIND } from '../../kube/kind.ts';
import { Metrics } from '../../webhook/metrics.ts';
import { Tracer, traceTarget } from '../../webhook/trace.ts';
import { mineIn, runDaemonSet } from './attack.ts';
import { eventually, log, MINER, openScene, podOf, post, review } from './harness.ts';

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: Record<string, unknown> }[];
  status: { code?: number };
}

let collector: Server;
let url: string;
let answer = 200;
const requests: IncomingMessage[] = [];
const spans: Span[] = [];

beforeEach(async () => {
  answer = 200;
  requests.length = 0;
  spans.length = 0;
  collector = createServer(async (request, response) => {
    requests.push(request);
    const { resourceSpans } = JSON.parse(await text(request));
    if (answer === 200) spans.push(...resourceSpans[0].scopeSpans[0].spans);
    response.writeHead(answer).end('{}');
  });
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});
afterEach(() => collector.close());

const attributesOf = ({ attributes }: Span) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
const PARENT = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' };
const traceparent = (flags: string) => `00-${PARENT.trace}-${PARENT.span}-${flags}`;
const environment = () => traceTarget({ OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/` });

it('tells a collector of a review, within the trace of the API server, with what the log tells of it', async () => {
  const scene = await openScene({ trace: environment() });
  const miner = review(podOf('miner', 'shop', MINER));
  await post(scene.webhook, '/validate', miner, { headers: { traceparent: traceparent('01') } });
  await post(scene.webhook, '/validate', miner, { headers: { traceparent: traceparent('00') } });
  await post(scene.webhook, '/validate', 'no JSON');
  await scene[Symbol.asyncDispose]();
  // What the webhook itself writes comes back to it as reviews, which nobody traces but us.
  const sampledOnes = spans.filter(({ traceId }) => traceId === PARENT.trace);
  expect(sampledOnes).toHaveLength(1);
  const [sampled] = sampledOnes as [Span];
  const bad = spans.find((span) => 'error.type' in attributesOf(span)) as Span;
  expect(sampled).toMatchObject({ traceId: PARENT.trace, parentSpanId: PARENT.span, kind: 2, status: {} });
  expect(BigInt(sampled.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(sampled.startTimeUnixNano));
  expect(attributesOf(sampled)).toMatchObject({
    'http.response.status_code': '200',
    'kubesentry.review': '705ab4f5-6393-11e8-b7cc-42010a800002',
    'kubesentry.allowed': false,
  });
  expect(bad.parentSpanId).toBeUndefined();
  expect(bad.status.code).toBe(2);
  expect(attributesOf(bad)['error.type']).toBe('BODY_NOT_JSON');
});

it('tells of the report of an agent and of each step of the response', async () => {
  const scene = await openScene({ trace: environment() });
  const { pod, controller } = await runDaemonSet(scene);
  const incident = (await mineIn(scene, pod)).metadata.name as string;
  await eventually(async () => {
    const found = await scene.cluster.get(KIND.Incident, { name: incident });
    return found?.status?.steps?.find(({ step, state }) => step === 'confirm' && state === 'Done');
  }, 'the step confirm');
  await controller.stop();
  await scene[Symbol.asyncDispose]();
  const names = spans.map(({ name }) => name);
  expect(names).toContain('POST /v1/detections');
  expect(names).toContain('response quarantine');
  const steps = spans.filter(({ name }) => name.startsWith('response '));
  expect(steps.map((span) => attributesOf(span)['kubesentry.incident'])).toContain(incident);
});

describe('a tracer', () => {
  const made = () => {
    const metrics = new Metrics();
    const target = environment();
    if (!target) throw new Error('no target');
    return { metrics, tracer: new Tracer(target, { log, metrics }) };
  };
  const dropped = async (metrics: Metrics) =>
    (await metrics.traceSpans.get()).values.find(({ labels }) => labels.outcome === 'dropped')?.value;

  it('keeps no more than it may while a collector is away, and counts the rest', async () => {
    const { metrics, tracer } = made();
    answer = 503;
    const all = Array.from({ length: 3_000 }, () => tracer.span('x', {}, () => undefined));
    await Promise.all(all);
    expect(await dropped(metrics)).toBe(3_000 - 2_048);
    await tracer.close();
    expect(spans).toEqual([]);
  });

  it('passes on results and errors as they are', async () => {
    const { tracer } = made();
    expect(await tracer.span('x', {}, () => 7)).toBe(7);
    const broken = new Error('broken');
    await expect(tracer.span('x', {}, () => Promise.reject(broken))).rejects.toBe(broken);
    await tracer.close();
    expect(spans.map(({ status }) => status.code)).toEqual([undefined, 2]);
  });
});

describe('the environment', () => {
  it('wants no traces unless it says so', async () => {
    expect(traceTarget({})).toBeUndefined();
    const scene = await openScene();
    await post(scene.webhook, '/validate', review(podOf('a', 'shop')));
    await scene[Symbol.asyncDispose]();
    expect(requests).toEqual([]);
  });

  it('names collector, headers and service as OpenTelemetry does', () => {
    expect(
      traceTarget({
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://c.example/traces',
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x=,team = a',
        OTEL_SERVICE_NAME: 'sentry',
      }),
    ).toEqual({
      url: 'https://c.example/traces',
      headers: { authorization: 'Bearer x=', team: 'a' },
      service: 'sentry',
    });
    expect(() => traceTarget({ OTEL_EXPORTER_OTLP_ENDPOINT: 'c.example' })).toThrow('http or https');
  });
});
