import 'reflect-metadata';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DetectionReport, DetectionReportAnswer } from '../../api/detection.ts';
import { stderrLog } from '../../runtime/log.ts';
import { Reporter } from '../../runtime/reporter.ts';
import { Spool } from '../../runtime/spool.ts';
import { sampleDetection } from './sample-detection.ts';

async function selfSigned(): Promise<{ cert: string; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=webhook',
    keys,
    signingAlgorithm: algorithm,
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
}

interface Seen {
  report: DetectionReport;
  authorization: string | undefined;
  /** By performance.now(). */
  at: number;
}

describe('Reporter', () => {
  let pem: { cert: string; key: string };
  let folder: string;
  let spool: Spool;
  let server: Server;
  let reporter: Reporter;
  let seen: Seen[];
  let connections: number;
  /** What the webhook answers: a status, or an answer that acknowledges everything. */
  let answer: (report: DetectionReport) => number | DetectionReportAnswer;
  let token: string;
  let retryAfter: string | undefined;

  const acknowledgeAll = (report: DetectionReport) => ({
    acknowledged: report.detections.map(({ id }) => id),
    rejected: [],
  });
  const delivered = () => new Set(seen.flatMap(({ report }) => report.detections.map(({ id }) => id)));

  async function listen(port = 0): Promise<number> {
    server = createServer(pem, async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const report = JSON.parse(body) as DetectionReport;
      seen.push({ report, authorization: request.headers.authorization, at: performance.now() });
      const said = answer(report);
      if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter);
      if (typeof said === 'number') response.writeHead(said).end('{"message":"no"}');
      else response.setHeader('content-type', 'application/json').end(JSON.stringify(said));
    });
    server.on('secureConnection', () => connections++);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  beforeAll(async () => {
    pem = await selfSigned();
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kubesentry-report-'));
    spool = await Spool.open(folder);
    seen = [];
    connections = 0;
    answer = acknowledgeAll;
    token = 'first';
    retryAfter = undefined;
    const port = await listen();
    reporter = new Reporter({
      node: 'node-a',
      url: `https://127.0.0.1:${port}`,
      ca: async () => pem.cert,
      token: async () => token,
      spool,
      log: stderrLog('silent'),
      retry: { first: 10, longest: 50 },
    });
  });
  afterEach(async () => {
    await reporter.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });

  const put = async (number: number) => {
    await spool.put(sampleDetection(number));
    reporter.wake();
  };
  const emptied = () => expect.poll(() => spool.stats.pending, { interval: 2 }).toBe(0);

  it('sends what was kept before it started, and what comes later at once over the same connection', async () => {
    await put(1);
    reporter.start();
    await emptied();
    await put(2);
    await emptied();
    expect(delivered().size).toBe(2);
    expect(connections).toBe(1);
    expect(seen[0]).toMatchObject({
      report: { node: 'node-a', kind: 'DetectionReport' },
      authorization: 'Bearer first',
    });
  });

  it('asks for the token anew', async () => {
    reporter.start();
    await put(1);
    await emptied();
    token = 'second\n';
    await put(2);
    await emptied();
    expect(seen.at(-1)?.authorization).toBe('Bearer second');
  });

  it.each([500, 429, 401, 403])('keeps and repeats what was answered with %i', async (status) => {
    let failures = 3;
    answer = (report) => (failures-- > 0 ? status : acknowledgeAll(report));
    reporter.start();
    await put(1);
    await emptied();
    expect(reporter.stats).toMatchObject({ acknowledged: 1, failures: 3 });
  });

  it('leaves a webhook that turned it away alone for as long as it asks for', async () => {
    retryAfter = '1';
    let isFirst = true;
    answer = (report) => {
      if (!isFirst) return acknowledgeAll(report);
      isFirst = false;
      return 429;
    };
    reporter.start();
    await put(1);
    await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(2);
    // A timer may come up to a millisecond early.
    expect((seen[1]?.at ?? 0) - (seen[0]?.at ?? 0)).toBeGreaterThan(990);
    await emptied();
  });

  it('keeps what the webhook did not acknowledge', async () => {
    let holdBack = true;
    answer = (report) => {
      const ids = report.detections.map(({ id }) => id);
      return { acknowledged: holdBack ? ids.slice(0, 1) : ids, rejected: [] };
    };
    await put(1);
    await put(2);
    reporter.start();
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    holdBack = false;
    await emptied();
    expect(reporter.stats.acknowledged).toBe(2);
  });

  it('drops and counts what the webhook refuses for good', async () => {
    answer = (report) => ({
      acknowledged: [],
      rejected: report.detections.map(({ id }) => ({ id, code: 'NOT_YOUR_NODE', message: 'no' })),
    });
    await put(1);
    reporter.start();
    await emptied();
    expect(reporter.stats).toMatchObject({ rejected: 1, acknowledged: 0 });
  });

  it('delivers the others when the webhook cannot read one of many', async () => {
    const bad = sampleDetection(13).id;
    answer = (report) => (report.detections.some(({ id }) => id === bad) ? 422 : acknowledgeAll(report));
    for (let number = 1; number <= 40; number++) await put(number);
    reporter.start();
    await emptied();
    expect(reporter.stats).toMatchObject({ acknowledged: 39, rejected: 1 });
  });

  it('sends at most 500 in one report', async () => {
    await Promise.all(Array.from({ length: 1200 }, (_, number) => spool.put(sampleDetection(number))));
    reporter.start();
    await emptied();
    expect(Math.max(...seen.map(({ report }) => report.detections.length))).toBeLessThanOrEqual(500);
    expect(delivered().size).toBe(1200);
  });

  it('survives an absence of the webhook', async () => {
    const { port } = server.address() as AddressInfo;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    reporter.start();
    await put(1);
    await expect.poll(() => reporter.stats.failures).toBeGreaterThan(1);
    await listen(port);
    await emptied();
    expect(delivered().size).toBe(1);
  });

  it('does not talk to a webhook that another CA signed', async () => {
    const other = await selfSigned();
    const strict = new Reporter({
      node: 'node-a',
      url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      ca: async () => other.cert,
      token: async () => token,
      spool,
      log: stderrLog('silent'),
      retry: { first: 10, longest: 50 },
    });
    await spool.put(sampleDetection(1));
    strict.start();
    await expect.poll(() => strict.stats.failures).toBeGreaterThan(0);
    await strict.close();
    expect(seen).toEqual([]);
    expect(spool.stats.pending).toBe(1);
  });
});
