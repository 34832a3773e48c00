import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { RETENTION } from '../../webhook/audit/columns.ts';
import { eventsInEnvelope } from '../../webhook/audit/envelope.ts';
import { SqliteFacts } from '../../webhook/audit/sqlite.ts';

const CLI = join(import.meta.dirname, '..', '..', 'cli', 'kubesentry.ts');
const run = promisify(execFile);
const audit = (...args: string[]) => run(process.execPath, [CLI, 'audit', ...args]);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubesentry-audit-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

const event = (auditID: string) => ({
  kind: 'Event',
  apiVersion: 'audit.k8s.io/v1',
  auditID,
  stage: 'ResponseComplete',
  verb: 'create',
  user: { username: 'alice' },
  sourceIPs: ['198.51.100.10'],
  objectRef: { resource: 'pods', namespace: 'shop', name: 'web' },
  requestReceivedTimestamp: '2026-11-20T12:00:00Z',
});

const GKE = {
  protoPayload: {
    '@type': 'type.googleapis.com/google.cloud.audit.AuditLog',
    authenticationInfo: { principalEmail: 'mallory@example.com' },
    methodName: 'io.k8s.apps.v1.daemonsets.create',
    resourceName: 'apps/v1/namespaces/shop/daemonsets/x',
    requestMetadata: { callerIp: '203.0.113.9', callerSuppliedUserAgent: 'curl/8.5.0' },
    status: { code: 7 },
  },
  labels: { 'authorization.k8s.io/decision': 'forbid' },
  operation: { id: 'gke-1' },
  timestamp: '2026-11-20T12:00:00Z',
};

describe('audit ingest', () => {
  it('reads what API servers and clouds export', async () => {
    const files = [
      put('lines.jsonl', `${JSON.stringify(event('line'))}\n\nnot json\n`),
      put('list.json', JSON.stringify({ kind: 'EventList', items: [event('list')] }, null, 2)),
      put('eks.json', JSON.stringify({ logEvents: [{ message: JSON.stringify(event('eks')) }] })),
      put('aks.json', JSON.stringify({ records: [{ properties: { log: JSON.stringify(event('aks')) } }] })),
      put('gke.json', JSON.stringify(GKE)),
    ];
    const database = join(folder, 'facts.db');
    const { stdout } = await audit('ingest', ...files, '--db', database);
    expect(JSON.parse(stdout)).toEqual({ events: 5, kept: 5, dropped: 0, malformed: 1 });
    const store = new SqliteFacts(database, RETENTION);
    const facts = await store.find({ from: 0, to: Number.MAX_SAFE_INTEGER, limit: 1000 });
    await store.close();
    expect(facts.map(({ id }) => id).sort()).toEqual(['aks', 'eks', 'gke-1', 'line', 'list']);
    expect(facts.find(({ id }) => id === 'gke-1')).toMatchObject({
      actor: { user: 'mallory@example.com' },
      address: '203.0.113.9',
      verb: 'create',
      code: 403,
      decision: 'forbid',
      target: { group: 'apps', resource: 'daemonsets', namespace: 'shop', name: 'x' },
    });
  });

  it('names the file that cannot be read', async () => {
    const failure = audit('ingest', join(folder, 'absent'), '--db', join(folder, 'none.db'));
    await expect(failure).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('absent') });
  });
});

test('audit kubeconfig prints what the API server takes', async () => {
  const { stdout } = await audit(
    'kubeconfig',
    '--server=https://10.0.0.5:8443',
    `--ca-file=${put('ca.crt', 'PEM')}`,
    `--token-file=${put('token', 'secret\n')}`,
  );
  expect(parse(stdout)).toMatchObject({
    clusters: [
      { cluster: { server: 'https://10.0.0.5:8443/audit', 'certificate-authority-data': btoa('PEM') } },
    ],
    users: [{ user: { token: 'secret' } }],
  });
});

test('audit policy keeps the contents of Secrets out of the log', async () => {
  const { rules } = parse((await audit('policy')).stdout) as {
    rules: { level: string; resources?: { resources?: string[] }[] }[];
  };
  const first = rules.find(({ resources }) => resources?.some((each) => each.resources?.includes('secrets')));
  expect(first?.level).toBe('Metadata');
  expect(rules.indexOf(first as never)).toBeLessThan(
    rules.findIndex(({ level }) => level.startsWith('Request')),
  );
});

test('no envelope makes it throw', () => {
  const field = fc.constantFrom(
    'message',
    'properties',
    'records',
    'events',
    'logEvents',
    'protoPayload',
    'log',
  );
  const { envelope } = fc.letrec((tie) => ({
    envelope: fc.oneof(
      fc.jsonValue(),
      fc.json(),
      fc.array(tie('envelope'), { maxLength: 3 }),
      fc.dictionary(field, tie('envelope'), { maxKeys: 3 }),
    ),
  }));
  fc.assert(fc.property(envelope, (value) => Array.isArray(eventsInEnvelope(value))));
});
