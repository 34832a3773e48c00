import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { readEvent } from '../../../webhook/audit/event.ts';
import type { Fact } from '../../../webhook/audit/fact.ts';
import { Sightings } from '../../../webhook/audit/interest.ts';
import { MINER, NOON } from './facts.ts';

const EVENT = {
  kind: 'Event',
  apiVersion: 'audit.k8s.io/v1',
  level: 'Request',
  auditID: '0f6a1c2e-8f5b-4a55-9d1c-0d6c5a0f1b2a',
  stage: 'ResponseComplete',
  requestURI: '/apis/apps/v1/namespaces/shop/deployments?fieldManager=kubectl-create',
  verb: 'create',
  user: { username: 'alice', groups: ['dev', 'system:authenticated'] },
  sourceIPs: ['198.51.100.10', '10.0.0.1'],
  userAgent: 'kubectl/v1.36.3 (linux/amd64)',
  objectRef: {
    resource: 'deployments',
    namespace: 'shop',
    name: 'web',
    apiGroup: 'apps',
    apiVersion: 'v1',
  },
  responseStatus: { metadata: {}, code: 201 },
  requestReceivedTimestamp: '2026-11-20T12:00:00.123456Z',
  stageTimestamp: '2026-11-20T12:00:00.130000Z',
  annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' },
};

const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    template: {
      spec: { serviceAccountName: 'runner', containers: [{ name: 'main', ...MINER }] },
    },
  },
};

const POD = { ...EVENT, objectRef: { resource: 'pods', namespace: 'shop', name: 'web-1', apiVersion: 'v1' } };

function factOf(event: object): Fact {
  const reading = readEvent(event);
  if (!('fact' in reading)) throw new Error(JSON.stringify(reading));
  return reading.fact;
}

describe('an event becomes a fact', () => {
  it('of a Deployment, with what it would run', () => {
    const fact = factOf({ ...EVENT, requestObject: DEPLOYMENT });
    expect(fact).toMatchObject({
      id: EVENT.auditID,
      time: Date.parse('2026-11-20T12:00:00.123Z'),
      actor: { user: 'alice', groups: ['dev', 'system:authenticated'] },
      address: '198.51.100.10',
      verb: 'create',
      code: 201,
      decision: 'allow',
      target: { group: 'apps', resource: 'deployments', namespace: 'shop', name: 'web' },
      images: [MINER.image],
      details: { serviceAccount: 'runner' },
    });
    expect(fact.fingerprint).toContainEqual({ facet: 'pool', value: 'pool.supportxmr.com:443' });
  });

  it('with the name, uid and owner that only the response has', () => {
    const metadata = {
      name: 'web-x7',
      uid: '5c7a',
      ownerReferences: [{ kind: 'ReplicaSet', name: 'web-7f9c6', uid: 'a1', controller: true }],
    };
    const { target } = factOf({
      ...EVENT,
      objectRef: { resource: 'pods', namespace: 'shop', apiVersion: 'v1' },
      requestObject: { kind: 'Pod', metadata: { generateName: 'web-' }, spec: {} },
      responseObject: { kind: 'Pod', metadata, spec: {} },
    });
    expect(target).toMatchObject({
      name: 'web-x7',
      uid: '5c7a',
      owner: 'ReplicaSet/web-7f9c6',
      ownerUid: 'a1',
    });
  });

  it.each(['create', 'get'])('of an exec with the verb %s, with its command', (verb) => {
    const { command, target } = factOf({
      ...POD,
      verb,
      objectRef: { ...POD.objectRef, subresource: 'exec' },
      requestURI:
        '/api/v1/namespaces/shop/pods/web-1/exec?command=sh&command=-c&command=curl+a%26b&container=main&stdin=true',
    });
    expect(command).toEqual(['sh', '-c', 'curl a&b']);
    expect(target.subresource).toBe('exec');
  });

  it('with who is behind it: impersonation and the claims of a bound token', () => {
    const { actor } = factOf({
      ...EVENT,
      user: {
        username: 'system:serviceaccount:shop:runner',
        groups: ['system:serviceaccounts'],
        extra: {
          'authentication.kubernetes.io/pod-name': ['web-1'],
          'authentication.kubernetes.io/pod-uid': ['5c7a'],
          'authentication.kubernetes.io/node-name': ['node-1'],
          'authentication.kubernetes.io/credential-id': ['JTI=1f'],
        },
      },
      impersonatedUser: { username: 'system:admin' },
    });
    expect(actor).toEqual({
      user: 'system:serviceaccount:shop:runner',
      groups: ['system:serviceaccounts'],
      impersonates: 'system:admin',
      podName: 'web-1',
      podUid: '5c7a',
      nodeName: 'node-1',
      credential: 'JTI=1f',
    });
  });

  it('of a binding, with its role and subjects', () => {
    const { details } = factOf({
      ...EVENT,
      objectRef: { resource: 'clusterrolebindings', name: 'x', apiGroup: 'rbac.authorization.k8s.io' },
      requestObject: {
        roleRef: { kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [
          { kind: 'ServiceAccount', namespace: 'shop', name: 'backup' },
          { kind: 'User', name: 'system:anonymous' },
        ],
      },
    });
    expect(details).toEqual({
      role: 'cluster-admin',
      subjects: 'ServiceAccount/shop/backup, User/system:anonymous',
    });
  });

  it.each([
    ['a merge patch', { metadata: { labels: { 'kubesentry.io/quarantine': null } } }],
    ['a JSON patch', [{ op: 'remove', path: '/metadata/labels/kubesentry.io~1quarantine' }]],
  ])('of a namespace, with the labels that %s changes', (_, requestObject) => {
    const { details } = factOf({
      ...EVENT,
      verb: 'patch',
      objectRef: { resource: 'namespaces', name: 'shop', namespace: 'shop' },
      requestObject,
    });
    expect(details.labels).toBe('kubesentry.io/quarantine');
  });

  it('that says which of our webhooks did not answer, even of a read', () => {
    const annotations = {
      'failed-open.validating.webhook.admission.k8s.io/round_0_index_0': 'deploy.kubesentry.io',
      'failed-open.validating.webhook.admission.k8s.io/round_0_index_1': 'other.example.com',
    };
    expect(factOf({ ...EVENT, annotations }).details.failedOpen).toBe('deploy.kubesentry.io');
  });

  it('that holds nothing of a Secret', () => {
    const secret = {
      kind: 'Secret',
      metadata: { name: 's', annotations: { a: 'hunter2' } },
      data: { password: 'aHVudGVyMg==' },
      stringData: { password: 'hunter2' },
    };
    const objectRef = { resource: 'secrets', namespace: 'shop', name: 's' };
    const kept = JSON.stringify(
      factOf({ ...EVENT, objectRef, requestObject: secret, responseObject: secret }),
    );
    expect(kept).not.toMatch(/hunter2|aHVudGVyMg/);
  });
});

describe('an event is dropped', () => {
  test.each([
    ['that is not finished', { stage: 'RequestReceived' }, 'unfinished'],
    ['that reads', { verb: 'list' }, 'read'],
    [
      'of a lease',
      { verb: 'update', objectRef: { resource: 'leases', apiGroup: 'coordination.k8s.io' } },
      'housekeeping',
    ],
    ['of a status', { verb: 'patch', objectRef: { resource: 'nodes', subresource: 'status' } }, 'status'],
    ['of somebody unknown', { responseStatus: { code: 401 } }, 'unauthenticated'],
  ])('%s', (_, change, dropped) => {
    expect(readEvent({ ...EVENT, ...change })).toEqual({ dropped });
  });

  test.each([
    ['a list of Secrets', { verb: 'list', objectRef: { resource: 'secrets' } }],
    ['a refused read', { verb: 'list', responseStatus: { code: 403 } }],
    ['a deletion of Events', { verb: 'deletecollection', objectRef: { resource: 'events' } }],
    [
      'a proxied request to a kubelet',
      { verb: 'get', objectRef: { resource: 'nodes', subresource: 'proxy' } },
    ],
    ['a read without credential', { verb: 'list', user: { username: 'system:anonymous' } }],
  ])('but not %s', (_, change) => {
    expect(readEvent({ ...EVENT, ...change })).toHaveProperty('fact');
  });
});

test('an identity at a new address is kept once an hour, whatever it asks for', () => {
  const sightings = new Sightings();
  const list = (minute: number, address = '10.0.0.9') =>
    readEvent(
      {
        ...EVENT,
        verb: 'list',
        sourceIPs: [address],
        requestReceivedTimestamp: new Date(NOON + minute * 60_000).toISOString(),
      },
      sightings,
    );
  expect(list(0)).toHaveProperty('fact');
  expect(list(59)).toEqual({ dropped: 'read' });
  expect(list(59, '203.0.113.9')).toHaveProperty('fact');
  expect(list(61)).toHaveProperty('fact');
});

test('what a patch sends is no template, for it is only a part of one', () => {
  const { images, fingerprint } = factOf({
    ...EVENT,
    verb: 'patch',
    requestObject: { spec: { template: { spec: { containers: [{ name: 'main', ...MINER }] } } } },
  });
  expect(images).toEqual([MINER.image]);
  expect(fingerprint.map(({ facet }) => facet)).not.toContain('template');
  expect(fingerprint.map(({ facet }) => facet)).toContain('pool');
});

test('no JSON makes it throw, and what is kept is bounded', () => {
  const field = fc.constantFrom(...Object.keys(EVENT), 'requestObject', 'responseObject', 'impersonatedUser');
  fc.assert(
    fc.property(fc.jsonValue(), fc.dictionary(field, fc.jsonValue()), (any, changes) => {
      readEvent(any);
      readEvent({ ...EVENT, ...changes });
    }),
  );
  const { user, requestURI } = {
    user: { username: 'x'.repeat(1e6) },
    requestURI: `/?${'command=a&'.repeat(1e5)}`,
  };
  const objectRef = { resource: 'pods', subresource: 'exec', name: 'y'.repeat(1e6) };
  expect(JSON.stringify(factOf({ ...EVENT, user, requestURI, objectRef })).length).toBeLessThan(8192);
});
