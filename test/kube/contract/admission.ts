import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Cluster } from '../../../kube/cluster.ts';
import { KIND } from '../../../kube/kind.ts';
import { startWebhookServer, type WebhookServer } from '../webhook-server.ts';
import { codeOf, configMap, makeNamespace } from './scene.ts';

export function admissionContract(open: () => Cluster): void {
  describe('admission', () => {
    let cluster: Cluster;
    let namespace: string;
    let server: WebhookServer;

    beforeAll(async () => {
      cluster = open();
      namespace = await makeNamespace(cluster);
      server = await startWebhookServer(({ object }) => {
        const { data = {} } = (object ?? {}) as { data?: Record<string, string> };
        if (data.slow) return undefined;
        return { allowed: !data.bad, ...(data.bad && { status: { message: 'not this one', code: 409 } }) };
      });
      const { url, caBundle } = server;
      const nowhere = 'https://127.0.0.1:1/validate';
      const webhook = (name: string, entry: object) => ({
        name: `${name}.contract.kubesentry.io`,
        clientConfig: { url, caBundle },
        rules: [
          {
            operations: ['CREATE', 'UPDATE', 'DELETE'],
            apiGroups: [''],
            apiVersions: ['v1'],
            resources: ['configmaps'],
            scope: 'Namespaced',
          },
        ],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        timeoutSeconds: 5,
        failurePolicy: 'Fail',
        ...entry,
      });
      const only = (value: string) => ({ objectSelector: { matchLabels: { webhook: value } } });
      await cluster.create(KIND.ValidatingWebhookConfiguration, {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingWebhookConfiguration',
        metadata: { name: namespace },
        webhooks: [
          webhook('judge', {}),
          webhook('closed', { ...only('closed'), clientConfig: { url: nowhere, caBundle } }),
          webhook('open', {
            ...only('open'),
            clientConfig: { url: nowhere, caBundle },
            failurePolicy: 'Ignore',
          }),
          webhook('slow', { ...only('slow'), timeoutSeconds: 1, failurePolicy: 'Ignore' }),
          webhook('elsewhere', {
            clientConfig: { url: nowhere, caBundle },
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'elsewhere' } },
          }),
        ],
      });
      // The API server reads new configurations with some delay.
      const refused = () =>
        codeOf(cluster.create(KIND.ConfigMap, configMap(namespace, 'x', { bad: '1' }), { dryRun: true }));
      await vi.waitUntil(async () => (await refused()) === 'KUBE_REFUSED', { timeout: 15_000 });
    });

    afterAll(async () => {
      await cluster.delete(KIND.ValidatingWebhookConfiguration, { name: namespace });
      await cluster.delete(KIND.Namespace, { name: namespace });
      await server.close();
    });

    const create = (name: string, data = {}, labels = {}) =>
      cluster.create(KIND.ConfigMap, configMap(namespace, name, data, labels));

    test('a refusal is KUBE_REFUSED with the words of the webhook, whatever its code is', async () => {
      const refused = create('bad', { bad: '1' });
      await expect(refused).rejects.toThrow(
        'admission webhook "judge.contract.kubesentry.io" denied the request: not this one',
      );
      expect(await codeOf(refused)).toBe('KUBE_REFUSED');
      expect(await cluster.get(KIND.ConfigMap, { name: 'bad', namespace })).toBeUndefined();
    });

    test('a webhook sees what is, what was, who asks and whether it is meant', async () => {
      const key = { name: 'seen', namespace };
      const heard = (operation: string) =>
        server.reviews.findLast((review) => review.operation === operation && review.name === 'seen');
      await create('seen', { x: '1' });
      expect(heard('CREATE')).toMatchObject({ object: { data: { x: '1' } }, oldObject: null, dryRun: false });
      expect(heard('CREATE')?.userInfo.groups).toContain('system:masters');
      await cluster.patch(KIND.ConfigMap, key, { data: { x: '2' } }, { dryRun: true });
      expect(heard('UPDATE')).toMatchObject({
        object: { data: { x: '2' } },
        oldObject: { data: { x: '1' } },
        dryRun: true,
      });
      await cluster.delete(KIND.ConfigMap, key);
      expect(heard('DELETE')).toMatchObject({ object: null, oldObject: { data: { x: '1' } } });
    });

    test('an update that changes nothing is asked about too', async () => {
      await create('same', { x: '1' });
      const asked = server.reviews.length;
      await cluster.patch(KIND.ConfigMap, { name: 'same', namespace }, { data: { x: '1' } });
      expect(server.reviews.length).toBe(asked + 1);
    });

    test('patches at the same time all arrive', async () => {
      await create('busy');
      const names = ['a', 'b', 'c', 'd'];
      const patch = (name: string) =>
        cluster.patch(KIND.ConfigMap, { name: 'busy', namespace }, { data: { [name]: '1' } });
      await Promise.all(names.map(patch));
      const busy = await cluster.get(KIND.ConfigMap, { name: 'busy', namespace });
      expect(Object.keys(busy?.data as object).sort()).toEqual(names);
    });

    test('one that cannot be reached refuses, or not, as it is registered', async () => {
      await expect(create('closed', {}, { webhook: 'closed' })).rejects.toThrow(
        'failed calling webhook "closed.contract.kubesentry.io"',
      );
      expect(await codeOf(create('closed', {}, { webhook: 'closed' }))).toBe('KUBE_REFUSED');
      await create('open', {}, { webhook: 'open' });
    });

    test('one that does not answer is waited for as long as it is registered to be', async () => {
      const started = performance.now();
      // Two are asked at the same time: one with 5 s that is to fail, one with 1 s that is ignored.
      await expect(create('slow', { slow: '1' }, { webhook: 'slow' })).rejects.toThrow(
        /failed calling webhook "judge\.contract\.kubesentry\.io".*context deadline exceeded/,
      );
      expect(performance.now() - started).toBeGreaterThan(4_500);
      expect(performance.now() - started).toBeLessThan(9_000);
    });
  });
}
