import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteFacts } from '../../../webhook/audit/sqlite.ts';
import { openScene, post, type Scene } from '../harness.ts';

const TOKEN = 'a-long-and-secret-token';
const retention = { age: 7 * 86_400_000, bytes: 64 * 1024 ** 2 };

let facts: SqliteFacts;
let scene: Scene;
beforeEach(async () => {
  facts = new SqliteFacts(':memory:', retention);
  scene = await openScene({ facts, auditToken: async () => `${TOKEN}\n` });
});
afterEach(async () => {
  await scene[Symbol.asyncDispose]();
  await facts.close();
});

let count = 0;
const event = (given: object = {}) => ({
  kind: 'Event',
  apiVersion: 'audit.k8s.io/v1',
  level: 'Request',
  auditID: `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`,
  stage: 'ResponseComplete',
  requestURI: '/apis/apps/v1/namespaces/shop/daemonsets',
  verb: 'create',
  user: { username: 'mallory', groups: ['system:authenticated'] },
  sourceIPs: ['203.0.113.9'],
  userAgent: 'curl/8.5.0',
  objectRef: { resource: 'daemonsets', namespace: 'shop', name: 'x', apiGroup: 'apps', apiVersion: 'v1' },
  responseStatus: { code: 201 },
  requestReceivedTimestamp: new Date().toISOString(),
  ...given,
});
const list = (...items: unknown[]) => ({ kind: 'EventList', apiVersion: 'audit.k8s.io/v1', items });
const bearer = { authorization: `Bearer ${TOKEN}` };
const all = () => facts.find({ from: 0, to: Number.MAX_SAFE_INTEGER, limit: 1000 });

describe('POST /audit', () => {
  it('keeps what matters and answers when it is kept', async () => {
    const { status, json } = await post(scene.webhook, '/audit', list(event(), event()), { headers: bearer });
    expect({ status, json }).toEqual({ status: 200, json: { received: 2, kept: 2 } });
    expect(await all()).toMatchObject([{ actor: { user: 'mallory' } }, { address: '203.0.113.9' }]);
  });

  it('takes a batch twice as once, and gzip', async () => {
    const batch = gzipSync(JSON.stringify(list(event())));
    const headers = { ...bearer, 'content-encoding': 'gzip' };
    await post(scene.webhook, '/audit', batch, { headers });
    expect((await post(scene.webhook, '/audit', batch, { headers })).status).toBe(200);
    expect(await all()).toHaveLength(1);
  });

  it('loses no good event because of a bad one', async () => {
    const batch = list(null, 7, { auditID: [] }, event(), event({ user: 'x', objectRef: 3, sourceIPs: {} }));
    const { json } = await post(scene.webhook, '/audit', batch, { headers: bearer });
    expect(json.received).toBe(5);
    expect(json.kept).toBeGreaterThanOrEqual(1);
  });

  it('refuses who has no token, or a wrong one', async () => {
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: 'Basic eDp5' }]) {
      const { status, json } = await post(scene.webhook, '/audit', list(event()), { headers });
      expect({ status, code: json.code }).toEqual({ status: 401, code: 'AUDIT_UNAUTHENTICATED' });
    }
    expect(await all()).toEqual([]);
  });

  it.each([
    ['no JSON', 400, 'BODY_NOT_JSON', '{'],
    ['another kind', 422, 'BODY_INVALID', '{"kind":"PodList","items":[]}'],
    [
      'an old version',
      422,
      'BODY_INVALID',
      '{"kind":"EventList","apiVersion":"audit.k8s.io/v1beta1","items":[]}',
    ],
    ['nesting without end', 400, 'BODY_TOO_DEEP', `{"a":${'['.repeat(5000)}`],
    [
      'too many events',
      413,
      'BODY_TOO_LARGE',
      JSON.stringify(list(...Array.from({ length: 5001 }, () => 0))),
    ],
  ])('refuses %s with a clear 4xx', async (_, status, code, body) => {
    const answer = await post(scene.webhook, '/audit', body, { headers: bearer });
    expect({ status: answer.status, code: answer.json.code }).toEqual({ status, code });
  });

  it('refuses what is no gzip, and what is a bomb', async () => {
    const headers = { ...bearer, 'content-encoding': 'gzip' };
    expect((await post(scene.webhook, '/audit', Buffer.from('no gzip'), { headers })).status).toBe(422);
    const bomb = gzipSync(Buffer.alloc(64 * 1024 ** 2));
    expect((await post(scene.webhook, '/audit', bomb, { headers })).status).toBe(413);
  });

  it('turns away what it cannot keep soon, and keeps what it took', async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slow = Object.assign(Object.create(facts), {
      add: async (batch: Parameters<typeof facts.add>[0]) => {
        await gate;
        return facts.add(batch);
      },
      find: (query: Parameters<typeof facts.find>[0]) => facts.find(query),
    });
    await using other = await openScene({ facts: slow, auditToken: async () => TOKEN });
    const sent = Array.from({ length: 14 }, () =>
      post(other.webhook, '/audit', list(event()), { headers: bearer }),
    );
    const first = await Promise.race(sent);
    expect({ status: first.status, retry: first.headers['retry-after'] }).toEqual({
      status: 429,
      retry: '2',
    });
    open();
    const statuses = (await Promise.all(sent)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect(await all()).toHaveLength(statuses.filter((status) => status === 200).length);
  });

  it('is not there without a token to check', async () => {
    await using other = await openScene();
    expect((await post(other.webhook, '/audit', list(event()), { headers: bearer })).status).toBe(404);
  });
});
