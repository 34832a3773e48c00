import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/object.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { KIND } from '../../kube/kind.ts';
import type { DaemonSetController } from '../../kube/memory/daemon-set-controller.ts';
import { mineIn, runDaemonSet } from './attack.ts';
import {
  eventually,
  openScene,
  podOf,
  post,
  refusal,
  review,
  type Scene,
  userOf,
  workloadOf,
} from './harness.ts';

let scene: Scene;
let pod: KubeObject;
let controller: DaemonSetController;
let quarantine: Quarantine;
let incident: string;
beforeAll(async () => {
  scene = await openScene();
  ({ pod, controller } = await runDaemonSet(scene));
  await scene.as('alice').create(KIND.Deployment, workloadOf('Deployment', 'web', 'shop'));
  quarantine = await mineIn(scene, pod);
  incident = quarantine.spec.incident as string;
});
afterAll(async () => {
  await controller.stop();
  await scene[Symbol.asyncDispose]();
});

const explains = (message: string) => {
  expect(message).toContain('Namespace shop is in quarantine');
  expect(message).toContain(incident);
  expect(message).toContain(`kubectl kubesentry release ${quarantine.metadata.name}`);
  expect(message).toContain('pool-protocol');
};

describe('the containment', () => {
  it('labels the namespace, and says in conditions what is in force', async () => {
    const namespace = await scene.cluster.get(KIND.Namespace, { name: 'shop' });
    expect(namespace?.metadata.labels?.['kubesentry.io/quarantine']).toBe(quarantine.metadata.name);
    const note = namespace?.metadata.annotations?.['kubesentry.io/quarantine-note'];
    expect(note).toMatch(
      /^ since .*: DaemonSet shop\/collector mines: pool-protocol.* Incident shop-collector-[0-9a-f]{6}\.$/,
    );
    const conditions = quarantine.status?.conditions?.map(({ type, status }) => `${type}=${status}`);
    expect(conditions).toEqual([
      'BansInForce=True',
      'EgressCut=Unknown',
      'HeldByApiServer=False',
      'NamespaceLabeled=True',
      'NetworkDenied=True',
      'ServicesDetached=True',
    ]);
    expect(quarantine.status?.since).toBeDefined();
  });

  it('is written into the incident with its timeline', async () => {
    const found = await eventually(async () => {
      const it = await scene.cluster.get(KIND.Incident, { name: incident });
      return it?.status?.phase === 'Contained' ? it : undefined;
    }, 'contained');
    expect(found.status).toMatchObject({ quarantine: quarantine.metadata.name, confidence: 1 });
    expect(found.status?.timeline.map(({ source }) => source)).toEqual(
      expect.arrayContaining(['runtime', 'response']),
    );
  });
});

describe('in a quarantined namespace', () => {
  it('nobody starts a pod, whatever it is', async () => {
    explains(await refusal(scene.as('alice').create(KIND.Pod, podOf('innocent', 'shop'))));
  });

  it('a controller cannot bring the pod back, and its owner is told why', async () => {
    await scene.cluster.delete(KIND.Pod, { name: pod.metadata.name as string, namespace: 'shop' });
    const event = await eventually(async () => {
      const { items } = await scene.cluster.list(KIND.Event, { namespace: 'shop' });
      return items.find(({ reason }) => reason === 'AdmissionDenied');
    }, 'an event on the DaemonSet');
    expect(event.regarding).toMatchObject({ kind: 'DaemonSet', name: 'collector' });
    expect(event.note).not.toContain('\n');
    expect((event.note as string).length).toBeLessThanOrEqual(1024);
    explains(event.note as string);
    // What the controller says itself, in one line of its own event.
    const { items } = await scene.cluster.list(KIND.Event, { namespace: 'shop' });
    explains(items.find(({ reason }) => reason === 'FailedCreate')?.note as string);
  });

  it('counts the attempts of the controller in one record, and tells the incident once', async () => {
    const denial = await eventually(async () => {
      const { items } = await scene.cluster.list(KIND.Denial, { namespace: 'shop' });
      return items.find(
        ({ spec, status }) => spec.user.username.includes('daemon-set') && (status?.count ?? 0) > 1,
      );
    }, 'a count');
    expect(denial.spec).toMatchObject({ gate: 'quarantine', incident, resource: { name: 'collector-' } });
    const lines = await eventually(async () => {
      const found = await scene.cluster.get(KIND.Incident, { name: incident });
      const about = found?.status?.timeline.filter(({ reference }) => reference === denial.metadata.name);
      return about?.length === 0 ? undefined : about;
    }, 'a line of the timeline');
    expect(lines).toHaveLength(1);
  });

  it.each(['exec', 'attach', 'portforward'] as const)('nobody gets in by %s', async (subresource) => {
    await scene.as('breakGlass').create(KIND.Pod, podOf(`in-${subresource}`, 'shop'));
    const key = { name: `in-${subresource}`, namespace: 'shop' };
    explains(await refusal(scene.as('alice').connect(key, subresource, { command: ['sh'] })));
    await scene.as('breakGlass').connect(key, subresource, { command: ['sh'] });
  });

  const answer = async (object: KubeObject, request: Record<string, unknown>) =>
    (await post(scene.webhook, '/validate', review(object, request))).json.response;
  const update = { operation: 'UPDATE' };
  const web = workloadOf('Deployment', 'web', 'shop');

  it('no workload is changed', async () => {
    const object = workloadOf('Deployment', 'web', 'shop', { image: 'other' });
    const { allowed, status } = await answer(object, { ...update, oldObject: web });
    expect(allowed).toBe(false);
    explains(status.message);
  });

  it('controllers finish deletions: finalizers, owners and status change', async () => {
    const object = structuredClone(web);
    object.metadata = { ...object.metadata, finalizers: [], resourceVersion: '7', ownerReferences: [] };
    object.status = { replicas: 1 };
    expect((await answer(object, { ...update, oldObject: web })).allowed).toBe(true);
    const annotated = podOf('web', 'shop');
    annotated.metadata.annotations = { command: 'read by the downward API' };
    expect((await answer(annotated, { ...update, oldObject: podOf('web', 'shop') })).allowed).toBe(false);
  });

  it('workloads scale down, not up', async () => {
    const scale = (replicas: number) => ({
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { replicas },
    });
    const request = {
      ...update,
      name: 'web',
      subResource: 'scale',
      resource: { group: 'apps', version: 'v1', resource: 'deployments' },
    };
    expect((await answer(scale(0), { ...request, oldObject: scale(2) })).allowed).toBe(true);
    expect((await answer(scale(3), { ...request, oldObject: scale(2) })).allowed).toBe(false);
    // As the Deployment controller does it to a ReplicaSet.
    const resource = { group: 'apps', version: 'v1', resource: 'replicasets' };
    const replicaSet = (replicas: number, image = 'app:1') => {
      const object = workloadOf('ReplicaSet', 'web-1', 'shop', { image });
      object.spec = { ...(object.spec as object), replicas };
      object.metadata.annotations = { 'deployment.kubernetes.io/desired-replicas': `${replicas}` };
      return object;
    };
    const ask = async (object: KubeObject) =>
      (await answer(object, { ...update, resource, oldObject: replicaSet(2) })).allowed;
    expect(await ask(replicaSet(0))).toBe(true);
    expect(await ask(replicaSet(3))).toBe(false);
    expect(await ask(replicaSet(0, 'evil:1'))).toBe(false);
  });

  it('nobody debugs, binds, resizes, or gets a token, but the kubelet renews its own', async () => {
    const pods = { resource: { group: '', version: 'v1', resource: 'pods' }, name: 'web' };
    const existing = podOf('web', 'shop');
    for (const [subResource, operation] of [
      ['ephemeralcontainers', 'UPDATE'],
      ['resize', 'UPDATE'],
      ['binding', 'CREATE'],
    ]) {
      expect((await answer(existing, { ...pods, operation, subResource, oldObject: existing })).allowed).toBe(
        false,
      );
    }
    const options = {
      apiVersion: 'v1',
      kind: 'PodProxyOptions',
      metadata: { name: 'web', namespace: 'shop' },
    };
    for (const resource of ['pods', 'services']) {
      const proxied = {
        resource: { group: '', version: 'v1', resource },
        operation: 'CONNECT',
        subResource: 'proxy',
      };
      expect((await answer(options, proxied)).status.message).toMatch(/^request to (Pod|Service) shop/);
    }
    const token = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { name: 'default', namespace: 'shop' },
    };
    const request = {
      resource: { group: '', version: 'v1', resource: 'serviceaccounts' },
      subResource: 'token',
    };
    const refused = await answer(token, request);
    expect(refused.status.message).toContain('Token for ServiceAccount shop/default is refused');
    expect((await answer(token, { ...request, userInfo: userOf('node') })).allowed).toBe(true);
  });

  it('deletions and what runs no code go on', async () => {
    await scene.as('alice').delete(KIND.Deployment, { name: 'web', namespace: 'shop' });
    const metadata = { name: 'settings', namespace: 'shop' };
    await scene.as('alice').create(KIND.ConfigMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
    expect((await answer(podOf('web', 'shop'), { ...update, subResource: 'status' })).allowed).toBe(true);
  });

  it('its neighbours are not hurt', async () => {
    await scene.as('alice').create(KIND.Pod, podOf('ledger', 'billing'));
  });
});

describe('the network of a contained namespace', () => {
  const policy = (name: string): KubeObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'shop' },
    spec: { podSelector: {}, ingress: [{}], egress: [{}] },
  });
  const ours = { name: 'kubesentry-quarantine', namespace: 'shop' };

  it('is denied by a NetworkPolicy, which nobody opens again', async () => {
    await eventually(() => scene.cluster.get(KIND.NetworkPolicy, ours), 'the policy');
    const alice = scene.as('alice');
    explains(await refusal(alice.create(KIND.NetworkPolicy, policy('allow-all'))));
    explains(await refusal(alice.patch(KIND.NetworkPolicy, ours, { spec: { egress: [{}] } })));
    explains(await refusal(alice.delete(KIND.NetworkPolicy, ours)));
    const { status } =
      (await scene.cluster.get(KIND.Quarantine, { name: quarantine.metadata.name as string })) ?? {};
    expect(status?.conditions?.map(({ type }) => type)).toContain('NetworkDenied');
    await alice.create(KIND.NetworkPolicy, { ...policy('x'), metadata: { name: 'x', namespace: 'billing' } });
  });

  it('is as before after the release', async () => {
    await scene.as('breakGlass').delete(KIND.Quarantine, { name: quarantine.metadata.name as string });
    await eventually(
      async () => ((await scene.cluster.get(KIND.NetworkPolicy, ours)) ? undefined : true),
      'no policy',
    );
  });
});
