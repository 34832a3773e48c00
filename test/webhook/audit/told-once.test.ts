import { expect, test } from 'vitest';
import type { Fact } from '../../../webhook/audit/fact.ts';
import { AuditIntake } from '../../../webhook/audit/intake.ts';
import { Metrics } from '../../../webhook/metrics.ts';
import { log } from '../harness.ts';
import { MemoryFacts } from './memory-facts.ts';

const TOKEN = 'a-long-and-secret-token';

const exec = (stage: string, code: number) => ({
  auditID: 'one-exec',
  stage,
  verb: 'get',
  user: { username: 'alice' },
  sourceIPs: ['198.51.100.10'],
  objectRef: { resource: 'pods', subresource: 'exec', namespace: 'shop', name: 'web' },
  requestURI: '/api/v1/namespaces/shop/pods/web/exec?command=sh',
  responseStatus: { code },
  requestReceivedTimestamp: '2026-11-20T12:00:00Z',
});

test('a request is told of once, at its first stage, and kept as its last', async () => {
  const facts = new MemoryFacts();
  const told: Fact[] = [];
  const intake = new AuditIntake({
    facts,
    token: async () => TOKEN,
    metrics: new Metrics(),
    log,
    clock: () => new Date(),
    onFacts: (news) => told.push(...news),
  });
  const send = (...items: object[]) =>
    intake.receive(
      {
        bytes: Buffer.from(JSON.stringify({ kind: 'EventList', apiVersion: 'audit.k8s.io/v1', items })),
        end: 'complete',
      },
      { authorization: `Bearer ${TOKEN}` },
    );
  await send(exec('ResponseStarted', 101));
  await send(exec('ResponseStarted', 101));
  await send(exec('ResponseComplete', 200));
  await intake.close();
  expect(told).toMatchObject([{ id: 'one-exec', code: 101 }]);
  expect(await facts.find({ from: 0, to: Number.MAX_SAFE_INTEGER, limit: 10 })).toMatchObject([
    { id: 'one-exec', code: 200 },
  ]);
});
