import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Ban } from '../../api/fingerprint.ts';
import type { KubeObject } from '../../api/object.ts';
import { KIND } from '../../kube/kind.ts';
import type { DaemonSetController } from '../../kube/memory/daemon-set-controller.ts';
import { further } from '../../webhook/response/bans.ts';
import { COLLECTOR, mineIn, runDaemonSet } from './attack.ts';
import { detectionIn, report } from './detections.ts';
import { eventually, openScene, podOf, refusal, type Scene, userOf, workloadOf } from './harness.ts';

let scene: Scene;
let pod: KubeObject;
let controller: DaemonSetController;
beforeEach(async () => {
  scene = await openScene();
  ({ pod, controller } = await runDaemonSet(scene));
});
afterEach(async () => {
  await controller.stop();
  await scene[Symbol.asyncDispose]();
});

const facets = (bans: readonly { facet: string }[]) => bans.map(({ facet }) => facet).sort();

describe('the bans of an incident', () => {
  it('refuse the same containers under another kind, name and namespace', async () => {
    const quarantine = await mineIn(scene, pod);
    expect(facets(quarantine.spec.bans)).toEqual(['binary', 'owner', 'pool', 'template']);
    const copy = workloadOf('Deployment', 'ledger-sync', 'billing', { ...COLLECTOR, name: 'other' });
    const message = await refusal(scene.as('alice').create(KIND.Deployment, copy));
    expect(message).toContain('Deployment billing/ledger-sync is refused: its image, command and arguments');
    expect(message).toContain(quarantine.metadata.name);
    await scene.as('breakGlass').create(KIND.Deployment, copy);
  });

  it('refuse the pool of the attack in anything', async () => {
    await mineIn(scene, pod);
    const named = podOf('y', 'billing', { args: ['stratum+tcp://203.0.113.9:3333'] });
    expect(await refusal(scene.as('alice').create(KIND.Pod, named))).toContain('ban-pool');
  });

  it('do not name a template or an image that another workload uses', async () => {
    await scene.as('alice').create(KIND.Pod, podOf('same', 'billing', COLLECTOR));
    const quarantine = await mineIn(scene, pod);
    expect(facets(quarantine.spec.bans)).not.toContain('template');
    await scene.as('alice').create(KIND.Pod, podOf('same-again', 'billing', COLLECTOR));
  });

  it('do not name an image without command and arguments, which says nothing about an attack', async () => {
    const plain = await scene.cluster.create(KIND.Pod, {
      ...podOf('redis', 'billing'),
      spec: { nodeName: 'node-1', containers: [{ name: 'redis', image: 'redis:7' }] },
    });
    const quarantine = await mineIn(scene, plain);
    expect(facets(quarantine.spec.bans)).toEqual(['binary', 'owner', 'pool']);
    await scene.as('alice').create(KIND.Pod, podOf('redis', 'shop', { image: 'redis:7' }));
  });

  it('name the template of the container that mined, not that of a sidecar beside it', async () => {
    const sidecar = { name: 'proxy', image: 'mesh/proxy:1', args: ['sidecar'] };
    const meshed = await scene.cluster.create(KIND.Pod, {
      ...podOf('meshed', 'billing'),
      spec: { nodeName: 'node-1', containers: [{ name: 'app', image: 'app:1', args: ['serve'] }, sidecar] },
    });
    const containerStatuses = ['app', 'proxy'].map((name, index) => ({
      name,
      containerID: `containerd://${(index ? 'd' : 'c').repeat(64)}`,
    }));
    const key = { name: 'meshed', namespace: 'billing' };
    await scene.cluster.patch(KIND.Pod, key, { status: { containerStatuses } }, { subresource: 'status' });
    const quarantine = await mineIn(scene, meshed);
    expect(quarantine.spec.bans.filter(({ facet }) => facet === 'template')).toHaveLength(1);
    await scene.as('alice').create(KIND.Pod, podOf('other', 'shop', sidecar));
    const copy = podOf('copy', 'shop', { image: 'app:1', args: ['serve'] });
    expect(await refusal(scene.as('alice').create(KIND.Pod, copy))).toContain('ban-template');
  });

  it('name the binary only when the attacker brought it along', async () => {
    const evidence = { findings: [{ rule: 'pool-protocol' }] };
    await report(scene, 'node-1', [detectionIn(pod, { evidence })]);
    const quarantine = await eventually(
      async () => (await scene.cluster.list(KIND.Quarantine)).items[0],
      'a quarantine',
    );
    expect(facets(quarantine.spec.bans)).toEqual(['owner', 'template']);
  });

  it('grow with what is learned later', async () => {
    const quarantine = await mineIn(scene, pod);
    const destinations = [{ address: '203.0.113.10', port: 14444 }];
    await report(scene, 'node-1', [
      detectionIn(pod, { id: 'f'.repeat(32), evidence: { protocol: 'stratum', destinations } }),
    ]);
    await eventually(async () => {
      const grown = await scene.cluster.get(KIND.Quarantine, { name: quarantine.metadata.name as string });
      return grown?.spec.bans.find(({ value }) => value === '203.0.113.10:14444');
    }, 'the new pool');
  });

  it('still name the template where an attacker named pools enough to fill the list', async () => {
    const pools = (from: number) =>
      Array.from({ length: 16 }, (_, at) => ({ address: `203.0.113.${from + at}`, port: 3333 }));
    // Before anything is known of the pod, as where its watch lags.
    const named = [1, 2, 3, 4, 5, 6].map((round) =>
      detectionIn(pod, {
        id: `${round}`.repeat(32),
        confidence: 0.5,
        evidence: { protocol: 'stratum', destinations: pools(round * 20) },
      }),
    );
    await report(scene, 'node-1', named);
    const quarantine = await mineIn(scene, pod);
    expect(facets(quarantine.spec.bans)).toEqual(expect.arrayContaining(['binary', 'owner', 'template']));
    expect(facets(quarantine.spec.bans).filter((facet) => facet === 'pool')).toHaveLength(20);
  });

  it('leave room for the template also where all other traits were known before', () => {
    const ban = (facet: Ban['facet'], value: string): Ban => ({ facet, value, reason: '' });
    const many = (facet: Ban['facet']) => Array.from({ length: 64 }, (_, at) => ban(facet, `${at}`));
    const first = further([...many('binary'), ...many('wallet'), ...many('pool')], []);
    expect(first).toHaveLength(52);
    expect(further([...many('pool'), ban('template', 't')], first)).toEqual([ban('template', 't')]);
  });
});

describe('a workload in a namespace that the cluster lives on', () => {
  it('is contained alone', async () => {
    await controller.stop();
    ({ pod, controller } = await runDaemonSet(scene, 'kube-system'));
    const quarantine = await mineIn(scene, pod);
    expect(quarantine.spec.workload).toEqual({ kind: 'DaemonSet', name: 'collector' });
    const namespace = await scene.cluster.get(KIND.Namespace, { name: 'kube-system' });
    expect(namespace?.metadata.labels).not.toHaveProperty(['kubesentry.io/quarantine']);
    const key = { name: pod.metadata.name as string, namespace: 'kube-system' };
    expect(await refusal(scene.as('alice').connect(key, 'exec', { command: ['sh'] }))).toContain(
      'DaemonSet kube-system/collector is in quarantine',
    );
    await scene.cluster.as(userOf('alice')).create(KIND.Pod, podOf('dns', 'kube-system'));
  });
});

describe('a detection that only a node vouches for', () => {
  it('contains nothing: one broken node must not have every namespace contained', async () => {
    const detection = detectionIn(pod);
    const claimed = { ...detection.container, podUid: 'unknown', namespace: 'billing', pod: 'ledger' };
    const { json } = await report(scene, 'node-2', [{ ...detection, container: claimed }]);
    expect(json.acknowledged).toHaveLength(1);
    const incident = await eventually(
      async () => (await scene.cluster.list(KIND.Incident)).items[0],
      'an incident',
    );
    expect(incident.status?.phase).toBe('Confirmed');
    // Whatever would contain it has run when this is contained.
    await mineIn(scene, pod);
    expect((await scene.cluster.list(KIND.Quarantine)).items.map(({ spec }) => spec.namespace)).toEqual([
      'shop',
    ]);
  });
});
