import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { startWebhookServer, type WebhookServer } from './webhook-server.ts';

const USER = { username: 'alice', groups: ['devs', 'system:authenticated'] };

/** What the contract cannot show, because the real API server tells it by other ways than our client. */
describe('admission in memory', () => {
  let server: WebhookServer;
  let cluster: MemoryCluster;
  let warnings: string[];
  let failedOpen: string[];

  beforeAll(async () => {
    server = await startWebhookServer(({ operation, object }) => ({
      allowed: operation !== 'CONNECT' || !(object as { tty?: boolean } | null)?.tty,
      warnings: ['mind this'],
    }));
  });
  afterAll(() => server.close());

  beforeEach(async () => {
    server.reviews.length = 0;
    warnings = [];
    failedOpen = [];
    cluster = new MemoryCluster({
      onWarning: (warning, { username }) => warnings.push(`${username}: ${warning}`),
      onFailedOpen: (webhook, reason) => failedOpen.push(`${webhook}: ${reason}`),
    });
    for (const name of ['n', 'm']) {
      await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    await cluster.create(KIND.Pod, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'n' },
    });
  });

  async function register(rule: object, entry: object = {}): Promise<void> {
    const { url, caBundle } = server;
    const rules = [
      { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'], scope: '*', ...rule },
    ];
    await cluster.create(KIND.ValidatingWebhookConfiguration, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { generateName: 'w-' },
      webhooks: [{ name: 'w.test', clientConfig: { url, caBundle }, rules, failurePolicy: 'Fail', ...entry }],
    });
  }

  const annotate = (namespace: string) =>
    cluster.as(USER).patch(KIND.Namespace, { name: namespace }, { metadata: { annotations: { a: '1' } } });

  test('sees the user who acts, and the user hears the warnings', async () => {
    await register({});
    await annotate('n');
    expect(server.reviews[0]?.userInfo).toEqual(USER);
    expect(warnings).toEqual(['alice: mind this']);
  });

  test('exec is a CONNECT with its options, and a refusal refuses it', async () => {
    await register({ operations: ['CONNECT'], resources: ['pods/exec'] });
    const key = { name: 'p', namespace: 'n' };
    await cluster.as(USER).connect(key, 'exec', { command: ['ls'] });
    expect(server.reviews[0]).toMatchObject({
      operation: 'CONNECT',
      kind: { kind: 'PodExecOptions' },
      subResource: 'exec',
      name: 'p',
      object: { kind: 'PodExecOptions', command: ['ls'] },
    });
    await expect(cluster.connect(key, 'exec', { tty: true })).rejects.toMatchObject({
      code: 'KUBE_REFUSED',
      message: 'admission webhook "w.test" denied the request without explanation',
    });
    await cluster.connect(key, 'attach', { tty: true });
  });

  test.each([
    ['another operation', { operations: ['DELETE'] }, {}],
    ['another group', { apiGroups: ['apps'] }, {}],
    ['another version', { apiVersions: ['v2'] }, {}],
    ['another resource', { resources: ['pods'] }, {}],
    ['only subresources', { resources: ['namespaces/*'], operations: ['CONNECT'] }, {}],
    ['another scope', { scope: 'Namespaced' }, {}],
    ['another namespace', {}, { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'm' } } }],
    ['other labels', {}, { objectSelector: { matchLabels: { no: 'such' } } }],
  ])('is not asked about what it is not registered for: %s', async (_what, rule, entry) => {
    await register(rule, entry);
    await annotate('n');
    expect(server.reviews).toEqual([]);
  });

  test('is asked about status by its subresource only', async () => {
    await register({ resources: ['pods/status'] });
    const key = { name: 'p', namespace: 'n' };
    await cluster.patch(KIND.Pod, key, { metadata: { labels: { a: '1' } } });
    expect(server.reviews).toEqual([]);
    await cluster.patch(KIND.Pod, key, { status: { phase: 'Running' } }, { subresource: 'status' });
    expect(server.reviews[0]).toMatchObject({ subResource: 'status', operation: 'UPDATE' });
  });

  test('what failed open is told', async () => {
    const nobody = { clientConfig: { url: 'https://127.0.0.1:1/' }, failurePolicy: 'Ignore' };
    await register({}, nobody);
    await annotate('n');
    expect(failedOpen).toEqual([expect.stringMatching(/^w\.test: .*ECONNREFUSED/)]);
  });

  test('never asks about webhook configurations: a webhook could lock itself in', async () => {
    await register({});
    await register({});
    expect(server.reviews).toEqual([]);
  });
});
