import { createServer } from 'node:https';
import { decodeJwt } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import type { KubeObject } from '../../api/object.ts';
import { issueServingPair, makeAuthority } from '../../certs/authority.ts';
import type { Cluster, WatchEvent } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { Reflector } from '../../kube/reflector.ts';

const configMap = (
  namespace: string,
  name: string,
  data: Record<string, string>,
  labels = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace, labels },
  data,
});

const codeOf = async (promise: Promise<unknown>): Promise<string | undefined> => {
  try {
    await promise;
  } catch (error) {
    return error instanceof KubesentryError ? error.code : String(error);
  }
  return undefined;
};

/** What every adapter of Cluster has to do; `open` answers an administrator's face of a running one. */
export function clusterContract(open: () => Cluster): void {
  let cluster: Cluster;
  let namespace: string;
  let count = 0;

  beforeEach(async () => {
    cluster = open();
    namespace = `contract-${process.pid}-${count++}`;
    await cluster.create(KIND.Namespace, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace },
    });
  });
  afterEach(() => cluster.delete(KIND.Namespace, { name: namespace }));

  const key = (name: string) => ({ name, namespace });

  describe('objects', () => {
    test('what is created has uid, version, time, and can be read', async () => {
      const made = await cluster.create(KIND.ConfigMap, configMap(namespace, 'a', { x: '1' }));
      expect(made.metadata).toMatchObject({ name: 'a', namespace, uid: expect.any(String) });
      expect(Date.parse(made.metadata.creationTimestamp as string)).toBeGreaterThan(Date.now() - 60_000);
      expect(await cluster.get(KIND.ConfigMap, key('a'))).toMatchObject({ data: { x: '1' } });
    });

    test('what is not there reads as undefined, and deleting it is no error', async () => {
      expect(await cluster.get(KIND.ConfigMap, key('absent'))).toBeUndefined();
      await cluster.delete(KIND.ConfigMap, key('absent'));
    });

    test('generateName makes different names', async () => {
      const object = { ...configMap(namespace, '', {}), metadata: { generateName: 'g-', namespace } };
      const names = [
        await cluster.create(KIND.ConfigMap, object),
        await cluster.create(KIND.ConfigMap, object),
      ];
      expect(new Set(names.map(({ metadata }) => metadata.name)).size).toBe(2);
      expect(names[0]?.metadata.name).toMatch(/^g-/);
    });

    test('creating twice is KUBE_CONFLICT; into no namespace is KUBE_NOT_FOUND', async () => {
      await cluster.create(KIND.ConfigMap, configMap(namespace, 'a', {}));
      expect(await codeOf(cluster.create(KIND.ConfigMap, configMap(namespace, 'a', {})))).toBe(
        'KUBE_CONFLICT',
      );
      expect(await codeOf(cluster.create(KIND.ConfigMap, configMap('no-such', 'a', {})))).toBe(
        'KUBE_NOT_FOUND',
      );
    });

    test('an update with an old version is KUBE_CONFLICT, of nothing KUBE_NOT_FOUND', async () => {
      const first = await cluster.create(KIND.ConfigMap, configMap(namespace, 'a', { x: '1' }));
      await cluster.update(KIND.ConfigMap, { ...first, data: { x: '2' } });
      expect(await codeOf(cluster.update(KIND.ConfigMap, { ...first, data: { x: '3' } }))).toBe(
        'KUBE_CONFLICT',
      );
      expect(await codeOf(cluster.update(KIND.ConfigMap, configMap(namespace, 'no', {})))).toBe(
        'KUBE_NOT_FOUND',
      );
    });

    test('a merge patch sets, keeps and removes', async () => {
      await cluster.create(KIND.ConfigMap, configMap(namespace, 'a', { x: '1', y: '1' }));
      const patched = await cluster.patch(KIND.ConfigMap, key('a'), { data: { x: null, z: '1' } });
      expect(patched.data).toEqual({ y: '1', z: '1' });
      expect(await codeOf(cluster.patch(KIND.ConfigMap, key('no'), {}))).toBe('KUBE_NOT_FOUND');
    });

    test('a delete with another uid is KUBE_CONFLICT', async () => {
      await cluster.create(KIND.ConfigMap, configMap(namespace, 'a', {}));
      const other = '00000000-0000-4000-8000-000000000000';
      expect(await codeOf(cluster.delete(KIND.ConfigMap, key('a'), { uid: other }))).toBe('KUBE_CONFLICT');
    });

    test('a dry run changes nothing', async () => {
      await cluster.create(KIND.ConfigMap, configMap(namespace, 'a', {}), { dryRun: true });
      expect(await cluster.get(KIND.ConfigMap, key('a'))).toBeUndefined();
    });

    test('status is written only through its subresource', async () => {
      const name = `${namespace}-ns`;
      const made = await cluster.create(KIND.Namespace, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name },
        status: { phase: 'Terminating' },
      });
      expect((made.status as { phase?: string } | undefined)?.phase).not.toBe('Terminating');
      await cluster.delete(KIND.Namespace, { name });
    });
  });

  describe('apply', () => {
    test('creates, changes, and takes back what is no longer applied', async () => {
      await cluster.apply(KIND.ConfigMap, configMap(namespace, 'a', { mine: '1', old: '1' }));
      await cluster.patch(KIND.ConfigMap, key('a'), { data: { theirs: '1' } });
      const applied = await cluster.apply(KIND.ConfigMap, configMap(namespace, 'a', { mine: '2' }));
      expect(applied.data).toEqual({ mine: '2', theirs: '1' });
    });

    test('fields of another manager stay, and force takes them over', async () => {
      await cluster.apply(KIND.ConfigMap, configMap(namespace, 'a', { x: 'first' }), {
        fieldManager: 'first',
      });
      const second = await cluster.apply(KIND.ConfigMap, configMap(namespace, 'a', { x: 'second' }));
      expect(second.data).toEqual({ x: 'second' });
    });
  });

  describe('lists', () => {
    beforeEach(async () => {
      await cluster.create(KIND.ConfigMap, configMap(namespace, 'a', {}, { app: 'web', tier: 'front' }));
      await cluster.create(KIND.ConfigMap, configMap(namespace, 'b', {}, { app: 'web' }));
      await cluster.create(KIND.ConfigMap, configMap(namespace, 'c', {}, { app: 'db' }));
    });

    test.each([
      ['app=web', ['a', 'b']],
      ['app=web,tier=front', ['a']],
      ['app in (web, db),!tier', ['b', 'c']],
      ['app notin (web),app', ['c']],
      ['tier', ['a']],
      ['app!=web,app', ['c']],
    ])('by label: %s', async (labelSelector, names) => {
      const { items } = await cluster.list(KIND.ConfigMap, { namespace, labelSelector });
      expect(items.map(({ metadata }) => metadata.name)).toEqual(names);
    });

    test('by field', async () => {
      const { items } = await cluster.list(KIND.ConfigMap, { namespace, fieldSelector: 'metadata.name=b' });
      expect(items.map(({ metadata }) => metadata.name)).toEqual(['b']);
    });

    test('in pages', async () => {
      const labelSelector = 'app';
      const first = await cluster.list(KIND.ConfigMap, { namespace, labelSelector, limit: 2 });
      expect(first.items).toHaveLength(2);
      const second = await cluster.list(KIND.ConfigMap, {
        namespace,
        labelSelector,
        limit: 2,
        continue: first.continue,
      });
      expect(second.items.map(({ metadata }) => metadata.name)).toEqual(['c']);
      expect(second.continue).toBeFalsy();
    });
  });

  describe('watches', () => {
    async function collect(labelSelector: string | undefined, events: number, act: () => Promise<unknown>) {
      const { resourceVersion } = await cluster.list(KIND.ConfigMap, { namespace });
      const stop = new AbortController();
      const seen: string[] = [];
      const watching = (async () => {
        const options = { namespace, labelSelector, resourceVersion, signal: stop.signal };
        for await (const event of cluster.watch(KIND.ConfigMap, options)) {
          if (event.type !== 'BOOKMARK') seen.push(describeEvent(event));
          if (seen.length === events) stop.abort();
        }
      })();
      await act();
      await watching;
      return seen;
    }
    const describeEvent = (event: WatchEvent<KubeObject>) =>
      event.type === 'BOOKMARK' ? '' : `${event.type} ${event.object.metadata.name}`;

    test('every change after the version, in order', async () => {
      const seen = await collect(undefined, 3, async () => {
        await cluster.create(KIND.ConfigMap, configMap(namespace, 'w', {}));
        await cluster.patch(KIND.ConfigMap, key('w'), { data: { x: '1' } });
        await cluster.delete(KIND.ConfigMap, key('w'));
      });
      expect(seen).toEqual(['ADDED w', 'MODIFIED w', 'DELETED w']);
    });

    test('an object that begins to match is ADDED, one that ends to match is DELETED', async () => {
      const seen = await collect('in=yes', 2, async () => {
        await cluster.create(KIND.ConfigMap, configMap(namespace, 'w', {}));
        await cluster.patch(KIND.ConfigMap, key('w'), { metadata: { labels: { in: 'yes' } } });
        await cluster.patch(KIND.ConfigMap, key('w'), { metadata: { labels: { in: 'no' } } });
      });
      expect(seen).toEqual(['ADDED w', 'DELETED w']);
    });

    test('the server ends it after timeoutSeconds', async () => {
      const { resourceVersion } = await cluster.list(KIND.ConfigMap, { namespace });
      const options = { namespace, resourceVersion, timeoutSeconds: 1, signal: new AbortController().signal };
      for await (const event of cluster.watch(KIND.ConfigMap, options)) expect(event.type).toBe('BOOKMARK');
    });

    test('a reflector follows, and tells its listeners only what changed', async () => {
      await cluster.create(KIND.ConfigMap, configMap(namespace, 'before', {}, { seen: namespace }));
      const reflector = new Reflector({ cluster, kind: KIND.ConfigMap, labelSelector: `seen=${namespace}` });
      await reflector.synced;
      const heard: string[] = [];
      reflector.store.listen({
        onSet: (object, old) => heard.push(`${old ? 'changed' : 'new'} ${object.metadata.name}`),
        onDelete: (object) => heard.push(`gone ${object.metadata.name}`),
      });
      await cluster.create(KIND.ConfigMap, configMap(namespace, 'after', {}, { seen: namespace }));
      await cluster.patch(KIND.ConfigMap, key('after'), { data: { x: '1' } });
      await cluster.delete(KIND.ConfigMap, key('before'));
      await expect.poll(() => heard).toEqual(['new before', 'new after', 'changed after', 'gone before']);
      await reflector.stop();
    });
  });

  test('deleting an owner takes along what it owns', async () => {
    const owner = await cluster.create(KIND.ConfigMap, configMap(namespace, 'owner', {}));
    const owned = configMap(namespace, 'owned', {});
    const { uid = '' } = owner.metadata;
    owned.metadata.ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }];
    await cluster.create(KIND.ConfigMap, owned);
    await cluster.delete(KIND.ConfigMap, key('owner'), { propagation: 'Background' });
    await expect.poll(() => cluster.get(KIND.ConfigMap, key('owned')), { timeout: 15_000 }).toBeUndefined();
  });

  test('a token names its service account and audience, and the issuer has its key', async () => {
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: key('agent') };
    const { metadata } = await cluster.create(KIND.ServiceAccount, account);
    const token = await cluster.createToken(key('agent'), { audience: 'kubesentry', expirationSeconds: 600 });
    const { issuer, keys } = await cluster.tokenIssuer();
    expect(keys.keys.length).toBeGreaterThan(0);
    expect(decodeJwt(token)).toMatchObject({
      iss: issuer,
      aud: ['kubesentry'],
      sub: `system:serviceaccount:${namespace}:agent`,
      'kubernetes.io': { namespace, serviceaccount: { name: 'agent', uid: metadata.uid } },
    });
  });

  test('a registered webhook is asked over TLS, and its refusal is KUBE_REFUSED with its words', async () => {
    const authority = await makeAuthority();
    const pair = await issueServingPair(authority, ['127.0.0.1']);
    const reviews: { request: { uid: string; operation: string; object: KubeObject } }[] = [];
    const server = createServer({ key: pair.key, cert: pair.certificate }, (req, res) => {
      let body = '';
      req.on('data', (chunk) => (body += chunk));
      req.on('end', () => {
        const review = JSON.parse(body);
        reviews.push(review);
        const allowed = review.request.object.data?.bad === undefined;
        const response = { uid: review.request.uid, allowed, status: { message: 'not this one', code: 403 } };
        res.setHeader('content-type', 'application/json');
        res.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }));
      });
    });
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    await cluster.create(KIND.ValidatingWebhookConfiguration, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: namespace },
      webhooks: [
        {
          name: 'contract.kubesentry.io',
          clientConfig: {
            url: `https://127.0.0.1:${port}/validate`,
            caBundle: Buffer.from(authority.certificate).toString('base64'),
          },
          rules: [
            { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] },
          ],
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
          failurePolicy: 'Fail',
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          timeoutSeconds: 5,
        },
      ],
    });
    try {
      // The API server reads new configurations with some delay.
      await expect
        .poll(
          () =>
            codeOf(cluster.create(KIND.ConfigMap, configMap(namespace, 'x', { bad: '1' }), { dryRun: true })),
          {
            timeout: 15_000,
          },
        )
        .toBe('KUBE_REFUSED');
      await expect(cluster.create(KIND.ConfigMap, configMap(namespace, 'y', { bad: '1' }))).rejects.toThrow(
        /admission webhook "contract\.kubesentry\.io" denied the request: not this one/,
      );
      await cluster.create(KIND.ConfigMap, configMap(namespace, 'good', {}));
      expect(reviews.at(-1)?.request).toMatchObject({
        operation: 'CREATE',
        object: { metadata: { name: 'good' } },
      });
    } finally {
      await cluster.delete(KIND.ValidatingWebhookConfiguration, { name: namespace });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
}
