import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/object.ts';
import { KIND } from '../../kube/kind.ts';
import { labelsToTake } from '../../webhook/response/service-labels.ts';
import { activeQuarantine } from './attack.ts';
import { detectionIn, report } from './detections.ts';
import { eventually, openScene, podOf, refusal, type Scene, workloadOf } from './harness.ts';

const none = new Set<string>();

describe('the labels that are taken from a pod', () => {
  const labels = { app: 'web', tier: 'front', team: 'shop' };

  it('are one for each Service that selects it, and none for the others', () => {
    const services = [
      { name: 'web', selector: { app: 'web', tier: 'front' } },
      { name: 'same', selector: { app: 'web' } },
      { name: 'other', selector: { app: 'api' } },
      { name: 'by-hand', selector: {} },
    ];
    expect(labelsToTake(labels, services, none)).toEqual({ taken: { app: 'web' }, kept: [] });
  });

  it('never are those that its owner selects it by', () => {
    const services = [
      { name: 'web', selector: { app: 'web', tier: 'front' } },
      { name: 'plain', selector: { app: 'web' } },
    ];
    expect(labelsToTake(labels, services, new Set(['app']))).toEqual({
      taken: { tier: 'front' },
      kept: ['plain'],
    });
  });
});

describe('a contained workload behind Services', () => {
  let scene: Scene;
  let pod: KubeObject;
  beforeEach(async () => {
    scene = await openScene();
    const owner = await scene.cluster.create(KIND.DaemonSet, workloadOf('DaemonSet', 'web', 'shop'));
    await service('front', { app: 'web', tier: 'front' });
    await service('plain', { app: 'web' });
    pod = await scene.cluster.create(KIND.Pod, {
      ...podOf('web-x', 'shop'),
      metadata: {
        name: 'web-x',
        namespace: 'shop',
        labels: { app: 'web', tier: 'front', team: 'a' },
        annotations: { note: 'theirs' },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'DaemonSet',
            name: 'web',
            uid: owner.metadata.uid as string,
            controller: true,
          },
        ],
      },
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'web:1', command: ['serve'] }] },
    });
  });
  afterEach(() => scene[Symbol.asyncDispose]());

  const service = (name: string, selector: Record<string, string>) =>
    scene.cluster.create(KIND.Service, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'shop' },
      spec: { selector, ports: [{ port: 80 }] },
    });
  const live = () => scene.cluster.get(KIND.Pod, { namespace: 'shop', name: 'web-x' });
  const detached = () =>
    eventually(
      async () => ((await live())?.metadata.labels?.['kubesentry.io/detached'] ? live() : undefined),
      'the pod to be detached',
    );

  it('loses the labels that only Services go by; a condition names the Services that stay', async () => {
    await report(scene, 'node-1', [detectionIn(pod)]);
    const { metadata } = await activeQuarantine(scene);
    const name = metadata.name as string;
    expect((await detached())?.metadata.labels).toEqual({
      app: 'web',
      team: 'a',
      'kubesentry.io/detached': name,
    });
    const condition = await eventually(async () => {
      const it = await scene.cluster.get(KIND.Quarantine, { name });
      return it?.status?.conditions?.find(({ type }) => type === 'ServicesDetached');
    }, 'the condition');
    expect(condition).toMatchObject({ status: 'False', reason: 'OwnersNeedTheLabels' });
    expect(condition.message).toContain('plain');
    expect(condition.message).not.toContain('front');
  });

  it('has exactly its own labels and annotations again when it is released', async () => {
    await report(scene, 'node-1', [detectionIn(pod)]);
    const { metadata } = await activeQuarantine(scene);
    await detached();
    await scene.as('breakGlass').delete(KIND.Quarantine, { name: metadata.name as string });
    await eventually(
      async () => ('kubesentry.io/detached' in ((await live())?.metadata.labels ?? {}) ? undefined : true),
      'the pod to be attached again',
    );
    expect((await live())?.metadata.labels).toEqual(pod.metadata.labels);
    expect((await live())?.metadata.annotations).toEqual(pod.metadata.annotations);
  });

  it('loses a note that somebody forged, and gets no labels that are none', async () => {
    const forged = await scene.as('breakGlass').create(KIND.Pod, {
      ...podOf('forged', 'billing'),
      metadata: {
        name: 'forged',
        namespace: 'billing',
        labels: { app: 'x', 'kubesentry.io/detached': 'nothing' },
        annotations: { 'kubesentry.io/detached-labels': '{"team":1,"tier":"front"}' },
      },
    });
    const labels = await eventually(async () => {
      const it = await scene.cluster.get(KIND.Pod, {
        namespace: 'billing',
        name: forged.metadata.name as string,
      });
      return 'kubesentry.io/detached' in (it?.metadata.labels ?? {}) ? undefined : it?.metadata.labels;
    }, 'the note to go');
    expect(labels).toEqual({ app: 'x', tier: 'front' });
  });

  it('is taken out also where its maker wrote that this was done already', async () => {
    const forged = await scene.as('alice').create(KIND.Pod, {
      ...podOf('forged', 'shop'),
      metadata: {
        name: 'forged',
        namespace: 'shop',
        labels: { app: 'web', tier: 'front', team: 'b' },
      },
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'web:1', command: ['serve'] }] },
    });
    const mark = { 'kubesentry.io/detached': 'nothing' };
    const quarantined = report(scene, 'node-1', [detectionIn(pod)]);
    const key = { namespace: 'shop', name: forged.metadata.name as string };
    await scene.as('breakGlass').patch(KIND.Pod, key, { metadata: { labels: mark } });
    await quarantined;
    const { metadata } = await activeQuarantine(scene);
    const labels = await eventually(async () => {
      const { labels: now } = (await scene.cluster.get(KIND.Pod, key))?.metadata ?? {};
      return now?.['kubesentry.io/detached'] === metadata.name ? now : undefined;
    }, 'the mark of this quarantine');
    expect(labels).not.toHaveProperty('app');
  });

  it('cannot be given its labels back by others meanwhile', async () => {
    await report(scene, 'node-1', [detectionIn(pod)]);
    await activeQuarantine(scene);
    await detached();
    const patch = scene
      .as('alice')
      .patch(KIND.Pod, { namespace: 'shop', name: 'web-x' }, { metadata: { labels: { tier: 'front' } } });
    expect(await refusal(patch)).toContain('in quarantine');
  });
});

describe('a NetworkPolicy that somebody made under our name before', () => {
  it('allows nothing while the namespace is contained', async () => {
    await using scene = await openScene();
    const pod = await scene.cluster.create(KIND.Pod, {
      ...podOf('web', 'shop'),
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'web:1', command: ['serve'] }] },
    });
    const key = { namespace: 'shop', name: 'kubesentry-quarantine' };
    await scene.as('alice').create(KIND.NetworkPolicy, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: key,
      spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{}] },
    });
    await report(scene, 'node-1', [detectionIn(pod)]);
    await activeQuarantine(scene);
    const spec = await eventually(async () => {
      const policy = await scene.cluster.get(KIND.NetworkPolicy, key);
      return policy?.metadata.labels?.['kubesentry.io/quarantine'] ? policy.spec : undefined;
    }, 'our network policy');
    expect(spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [], egress: [] });
  });

  it('goes with the Quarantine, also where the label was taken away before', async () => {
    await using scene = await openScene();
    const pod = await scene.cluster.create(KIND.Pod, {
      ...podOf('web', 'shop'),
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'web:1', command: ['serve'] }] },
    });
    const key = { namespace: 'shop', name: 'kubesentry-quarantine' };
    await scene.cluster.apply(KIND.NetworkPolicy, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { ...key, labels: { 'kubesentry.io/quarantine': 'one-that-is-gone' } },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    });
    await eventually(
      async () => ((await scene.cluster.get(KIND.NetworkPolicy, key)) ? undefined : true),
      'the end of the network policy',
    );
    // What is in force keeps its own.
    await report(scene, 'node-1', [detectionIn(pod)]);
    await activeQuarantine(scene);
    await eventually(() => scene.cluster.get(KIND.NetworkPolicy, key), 'our network policy');
  });
});

describe('what somebody who got past the guards took away', () => {
  it('is put back and told: the label and the network policy', async () => {
    await using scene = await openScene();
    const pod = await scene.cluster.create(KIND.Pod, {
      ...podOf('web', 'shop'),
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'web:1', command: ['serve'] }] },
    });
    await report(scene, 'node-1', [detectionIn(pod)]);
    const { metadata } = await activeQuarantine(scene);
    const policy = { namespace: 'shop', name: 'kubesentry-quarantine' };
    const there = () => scene.cluster.get(KIND.NetworkPolicy, policy);
    await eventually(there, 'the network policy');
    const told = (what: string) =>
      eventually(async () => {
        const incident = await scene.cluster.get(KIND.Incident, { name: metadata.name as string });
        return incident?.status?.timeline.find(({ message }) => message.startsWith(what));
      }, what);
    const conditions = await eventually(async () => {
      const it = await scene.cluster.get(KIND.Quarantine, { name: metadata.name as string });
      const types = it?.status?.conditions?.map(({ type }) => type) ?? [];
      return types.includes('NetworkDenied') && types.includes('ServicesDetached') ? types : undefined;
    }, 'both conditions, none written over by the other');
    expect(conditions).toHaveLength(6);

    await scene.as('breakGlass').delete(KIND.NetworkPolicy, policy);
    await told('The NetworkPolicy of namespace shop had been taken away');
    expect(await there()).toBeDefined();
    await scene
      .as('breakGlass')
      .patch(
        KIND.Namespace,
        { name: 'shop' },
        { metadata: { labels: { 'kubesentry.io/quarantine': null } } },
      );
    await told('The label of namespace shop had been taken away');
    const namespace = await scene.cluster.get(KIND.Namespace, { name: 'shop' });
    expect(namespace?.metadata.labels?.['kubesentry.io/quarantine']).toBe(metadata.name);
  });
});
