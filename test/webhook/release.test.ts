import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/object.ts';
import { KIND } from '../../kube/kind.ts';
import type { DaemonSetController } from '../../kube/memory/daemon-set-controller.ts';
import { COLLECTOR, mineIn, runDaemonSet } from './attack.ts';
import { detectionIn, report } from './detections.ts';
import { eventually, openScene, podOf, type Scene, workloadOf } from './harness.ts';

let scene: Scene;
let pod: KubeObject;
let controller: DaemonSetController;
let now: Date;
beforeEach(async () => {
  now = new Date();
  scene = await openScene({ clock: () => now });
  ({ pod, controller } = await runDaemonSet(scene));
});
afterEach(async () => {
  await controller.stop();
  await scene[Symbol.asyncDispose]();
});

const labelsOf = async (name: string) =>
  (await scene.cluster.get(KIND.Namespace, { name }))?.metadata.labels ?? {};
const unlabelled = (name: string) =>
  eventually(
    async () => ('kubesentry.io/quarantine' in (await labelsOf(name)) ? undefined : true),
    'no label',
  );
const phase = (name: string, wanted: string) =>
  eventually(async () => {
    const incident = await scene.cluster.get(KIND.Incident, { name });
    return incident?.status?.phase === wanted ? incident : undefined;
  }, `phase ${wanted}`);

describe('releasing a quarantine', () => {
  it('takes back exactly what was done, and the pod comes back', async () => {
    const before = await scene.cluster.get(KIND.Namespace, { name: 'shop' });
    const quarantine = await mineIn(scene, pod);
    const name = quarantine.metadata.name as string;
    await phase(name, 'Contained');
    await scene.cluster.delete(KIND.Pod, { name: pod.metadata.name as string, namespace: 'shop' });
    await phase(name, 'Eradicated').catch(() => undefined);
    await scene.as('breakGlass').delete(KIND.Quarantine, { name });
    await unlabelled('shop');
    const after = await scene.cluster.get(KIND.Namespace, { name: 'shop' });
    expect(after?.metadata.labels).toEqual(before?.metadata.labels);
    expect(after?.metadata.annotations ?? {}).toEqual({});
    await eventually(
      async () =>
        (await scene.cluster.list(KIND.Pod, { namespace: 'shop', fieldSelector: 'spec.nodeName=node-1' }))
          .items[0],
      'the pod',
    );
    await scene.as('alice').create(KIND.Deployment, workloadOf('Deployment', 'copy', 'billing', COLLECTOR));
    const incident = await phase(name, 'Closed');
    expect(incident.status?.timeline.map(({ source }) => source)).toContain('operator');
    await eventually(async () => {
      const { status } = (await scene.cluster.get(KIND.Incident, { name })) ?? {};
      return status?.timeline.find(({ message }) => message === `carol ended quarantine ${name}.`);
    }, 'who released it');
  });

  it('happens by itself when it expires', async () => {
    const quarantine = await mineIn(scene, pod);
    const name = quarantine.metadata.name as string;
    const expiresAt = new Date(now.getTime() + 60_000).toISOString();
    await scene.as('breakGlass').patch(KIND.Quarantine, { name }, { spec: { expiresAt } });
    now = new Date(now.getTime() + 61_000);
    // Admission does not wait for the object to go.
    await eventually(
      () =>
        scene.as('alice').create(KIND.ConfigMap, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'x', namespace: 'shop' },
        }),
      'a ConfigMap',
    );
    await eventually(
      async () => ((await scene.cluster.list(KIND.Quarantine)).items.length === 0 ? true : undefined),
      'gone',
    );
    await unlabelled('shop');
  });

  it('of one leaves another one of the same namespace in force', async () => {
    const first = await mineIn(scene, pod);
    const other = await scene.as('breakGlass').create(KIND.Pod, {
      ...podOf('web', 'shop'),
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'web:1' }] },
    });
    await report(scene, 'node-1', [detectionIn(other)]);
    const second = await eventually(async () => {
      const { items } = await scene.cluster.list(KIND.Quarantine);
      return items.find(
        ({ metadata, status }) => metadata.name !== first.metadata.name && status?.phase === 'Active',
      );
    }, 'the second quarantine');
    const label = (await labelsOf('shop'))['kubesentry.io/quarantine'];
    const [gone, stays] = label === first.metadata.name ? [first, second] : [second, first];
    await scene.as('breakGlass').delete(KIND.Quarantine, { name: gone.metadata.name as string });
    await eventually(
      async () =>
        (await labelsOf('shop'))['kubesentry.io/quarantine'] === stays.metadata.name ? true : undefined,
      'the other label',
    );
    await expect(scene.as('alice').create(KIND.Pod, podOf('x', 'shop'))).rejects.toThrow(
      stays.metadata.name as string,
    );
  });
});

describe('quarantines of one namespace over each other', () => {
  const kinds = [KIND.Pod, KIND.NetworkPolicy, KIND.Service, KIND.DaemonSet];
  /** All that people would see of the namespace, without versions. */
  async function everything(): Promise<unknown> {
    const lists = await Promise.all(
      kinds.map((kind) => scene.cluster.list<KubeObject>(kind, { namespace: 'shop' })),
    );
    const itself = await scene.cluster.get(KIND.Namespace, { name: 'shop' });
    return [itself as KubeObject, ...lists.flatMap(({ items }) => items)].map(({ metadata, spec }) => ({
      name: metadata.name,
      uid: metadata.uid,
      labels: metadata.labels ?? {},
      annotations: metadata.annotations ?? {},
      spec,
    }));
  }
  const byHand = (name: string, workload?: { kind: string; name: string }) =>
    scene.as('breakGlass').create(KIND.Quarantine, {
      apiVersion: 'kubesentry.io/v1alpha1',
      kind: 'Quarantine',
      metadata: { name },
      spec: {
        namespace: 'shop',
        ...(workload && { workload }),
        reason: 'a drill',
        requestedBy: 'carol',
        bans: [],
      },
    });
  const active = (name: string) =>
    eventually(async () => {
      const status = (await scene.cluster.get(KIND.Quarantine, { name }))?.status;
      return status?.phase === 'Active' ? true : undefined;
    }, `${name} active`);

  it.each([
    [['own', 'whole', 'part']],
    [['whole', 'own', 'part']],
    [['part', 'whole', 'own']],
    [['part', 'own', 'whole']],
  ])('ended in the order %j leave exactly what was there before', async (order) => {
    await scene.cluster.create(KIND.Service, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'front', namespace: 'shop' },
      spec: { selector: { tier: 'front' }, ports: [{ port: 80 }] },
    });
    const key = { namespace: 'shop', name: pod.metadata.name as string };
    await scene.cluster.patch(KIND.Pod, key, { metadata: { labels: { tier: 'front' } } });
    await eventually(async () => {
      const { items } = await scene.cluster.list(KIND.Pod, { namespace: 'shop' });
      return items.length === 2 ? true : undefined;
    }, 'a pod on both nodes');
    const before = await everything();
    const own = (await mineIn(scene, pod)).metadata.name as string;
    const names: Record<string, string> = { own, whole: 'by-hand', part: 'one-workload' };
    await byHand('by-hand');
    await byHand('one-workload', { kind: 'DaemonSet', name: 'collector' });
    for (const name of Object.values(names)) await active(name);
    await eventually(async () => {
      const labels = (await scene.cluster.get(KIND.Pod, key))?.metadata.labels ?? {};
      return 'tier' in labels ? undefined : true;
    }, 'the pod out of its Service');
    for (const [at, each] of order.entries()) {
      expect(await everything()).not.toEqual(before);
      await scene.as('breakGlass').delete(KIND.Quarantine, { name: names[each] as string });
      if (at < order.length - 1) await new Promise((resolve) => setTimeout(resolve, 300));
    }
    await eventually(async () => {
      const now = await everything();
      return isDeepStrictEqual(now, before) ? true : undefined;
    }, 'all that was there before');
  });
});

describe('what happens after a release', () => {
  it('is a new incident when it is mining again, and not when a count comes late', async () => {
    const quarantine = await mineIn(scene, pod);
    const name = quarantine.metadata.name as string;
    await phase(name, 'Contained');
    await scene.as('breakGlass').delete(KIND.Quarantine, { name });
    await phase(name, 'Closed');
    await report(scene, 'node-1', [detectionIn(pod, { repeats: 3 })]);
    expect((await scene.cluster.list(KIND.Incident)).items).toHaveLength(1);
    now = new Date(now.getTime() + 600_000);
    await report(scene, 'node-1', [detectionIn(pod, { repeats: 900 })]);
    const again = await eventually(
      async () => (await scene.cluster.list(KIND.Quarantine)).items[0],
      'a quarantine',
    );
    expect(again.metadata.name).toBe(`${name}-2`);
  });
});
