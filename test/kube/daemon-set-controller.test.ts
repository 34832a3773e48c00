import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { KubeObject } from '../../api/object.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { DaemonSetController } from '../../kube/memory/daemon-set-controller.ts';
import { startWebhookServer } from './webhook-server.ts';

describe('the DaemonSet controller in memory', () => {
  let cluster: MemoryCluster;
  let errors: unknown[];

  beforeEach(async () => {
    cluster = new MemoryCluster();
    errors = [];
    await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } });
    for (const name of ['n1', 'n2']) await addNode(name);
    const controller = new DaemonSetController(cluster, (error) => errors.push(error));
    onTestFinished(() => controller.stop());
  });

  const addNode = (name: string) =>
    cluster.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name } });

  const daemonSet = (): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'd', namespace: 'n' },
    spec: {
      template: { metadata: { labels: { app: 'd' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });

  const pods = async () => (await cluster.list(KIND.Pod, { namespace: 'n', labelSelector: 'app=d' })).items;
  const nodes = async () => (await pods()).map((pod) => (pod.spec as { nodeName: string }).nodeName).sort();
  const events = async () => (await cluster.list(KIND.Event, { namespace: 'n' })).items;

  test('makes one pod a node, also on a node that comes later, and again when one goes', async () => {
    await cluster.create(KIND.DaemonSet, daemonSet());
    await expect.poll(nodes).toEqual(['n1', 'n2']);
    await addNode('n3');
    await expect.poll(nodes).toEqual(['n1', 'n2', 'n3']);
    const [first] = await pods();
    await cluster.delete(KIND.Pod, { namespace: 'n', name: first?.metadata.name ?? '' });
    await expect.poll(nodes).toEqual(['n1', 'n2', 'n3']);
    expect((await pods()).map(({ metadata }) => metadata.uid)).not.toContain(first?.metadata.uid);
  });

  test('its pods go with the DaemonSet and stay away', async () => {
    await cluster.create(KIND.DaemonSet, daemonSet());
    await expect.poll(nodes).toEqual(['n1', 'n2']);
    await cluster.delete(KIND.DaemonSet, { namespace: 'n', name: 'd' });
    expect(await pods()).toEqual([]);
    expect(errors).toEqual([]);
  });

  test('asks as the real one does; a refusal becomes a counted event, and is tried until it is admitted', async () => {
    let allowed = false;
    const server = await startWebhookServer(() => ({ allowed, status: { message: 'not here' } }));
    onTestFinished(() => server.close());
    await cluster.create(KIND.ValidatingWebhookConfiguration, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'w' },
      webhooks: [
        {
          name: 'w.test',
          clientConfig: { url: server.url, caBundle: server.caBundle },
          rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
        },
      ],
    });
    await cluster.create(KIND.DaemonSet, daemonSet());
    const count = async () => (await events()).map(({ series }) => (series as { count: number })?.count);
    await expect.poll(count, { timeout: 5_000 }).toEqual([expect.any(Number)]);
    expect((await events())[0]).toMatchObject({
      reason: 'FailedCreate',
      note: 'Error creating: admission webhook "w.test" denied the request: not here',
      regarding: { kind: 'DaemonSet', name: 'd', namespace: 'n' },
    });
    expect(server.reviews[0]?.userInfo.username).toBe(
      'system:serviceaccount:kube-system:daemon-set-controller',
    );
    allowed = true;
    await expect.poll(nodes, { timeout: 5_000 }).toEqual(['n1', 'n2']);
    expect(errors).toEqual([]);
  });

  test('a namespace that goes while it tries again ends the trying', async () => {
    await cluster.create(KIND.DaemonSet, daemonSet());
    await expect.poll(nodes).toEqual(['n1', 'n2']);
    await cluster.delete(KIND.Namespace, { name: 'n' });
    await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } });
    await cluster.create(KIND.DaemonSet, daemonSet());
    await expect.poll(nodes).toEqual(['n1', 'n2']);
  });
});
