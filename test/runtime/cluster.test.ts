import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { Arena, whyNoKernel } from './arena.ts';

const reason = whyNoKernel();

describe.skipIf(reason)(`an agent in a cluster${reason ? ` (${reason})` : ''}`, () => {
  const cluster = new MemoryCluster();
  let arena: Arena;
  let sink: Server;
  let received = 0;

  beforeAll(async () => {
    for (const name of ['shop', 'attacked', 'neighbour', 'kube-system', SYSTEM_NAMESPACE]) {
      await cluster.apply(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    arena = await Arena.open({ cluster });
    sink = createServer((socket) => {
      socket.on('data', () => received++);
      socket.on('error', () => socket.destroy());
    });
    sink.listen(0, '127.0.0.1');
    await once(sink, 'listening');
  });
  afterAll(async () => {
    await arena?.[Symbol.asyncDispose]();
    sink?.close();
  });

  let count = 0;
  /** A pod of one container on our node: its object, and the cgroup that a kubelet would make. */
  async function runPod(namespace: string, metadata: Partial<KubeObject['metadata']> = {}) {
    const id = (++count).toString(16).padStart(64, 'e');
    const pod = await cluster.create(KIND.Pod, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `pod-${count}`, namespace, ...metadata },
      spec: {
        nodeName: 'test-node',
        containers: [
          { name: 'main', image: 'registry.example/app:1' },
          { name: 'side', image: 'registry.example/side:1' },
        ],
      },
    } as KubeObject);
    const status = { containerStatuses: [{ name: 'main', containerID: `containerd://${id}` }] };
    const key = { name: `pod-${count}`, namespace };
    await cluster.patch(KIND.Pod, key, { status }, { subresource: 'status' });
    const uid = pod.metadata.annotations?.['kubernetes.io/config.hash'] ?? pod.metadata.uid;
    return { pod, id, cgroup: arena.child(`kubepods/besteffort/pod${uid}/${id}`) };
  }

  const mine = async (cgroup: string, mark: string) => {
    await arena.run([arena.standIn('xmrig'), '0.2', mark], { cgroup });
    return arena.detected(({ process }) => process.argv.includes(mark));
  };

  it('names the pod, its workload, the container and the image', async () => {
    const { id, pod, cgroup } = await runPod('shop', {
      labels: { 'pod-template-hash': '5d4f' },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5d4f', uid: 'r', controller: true },
      ],
    });
    const { container } = await mine(cgroup, 'named');
    expect(container).toEqual({
      id,
      cgroup: expect.stringContaining(id),
      podUid: pod.metadata.uid,
      name: 'main',
      namespace: 'shop',
      pod: pod.metadata.name,
      workload: { kind: 'Deployment', name: 'web' },
      image: 'registry.example/app:1',
    });
  });

  it('knows a static pod, whose mirror has another uid', async () => {
    const { cgroup } = await runPod('shop', {
      annotations: { 'kubernetes.io/config.hash': '8f14e45fceea167a5a36dedd4bea2543' },
    });
    const { container } = await mine(cgroup, 'static');
    expect(container).toMatchObject({ namespace: 'shop', workload: { kind: 'Pod' } });
  });

  it('leaves null what nobody told it', async () => {
    const { container } = await mine(
      arena.child(`kubepods/pod00000000-1111-2222-3333-444444444444/${'f'.repeat(64)}`),
      'unknown',
    );
    expect(container).toMatchObject({
      podUid: '00000000-1111-2222-3333-444444444444',
      namespace: null,
      pod: null,
      workload: null,
    });
  });

  /** Sends a byte every few milliseconds over a connection that is open already. */
  const talk = (cgroup: string) =>
    arena.start(
      [
        '/bin/bash',
        '-c',
        `exec 3<>/dev/tcp/127.0.0.1/${(sink.address() as AddressInfo).port}; while echo x >&3; do sleep 0.01; done`,
      ],
      { cgroup },
    );
  const silent = async () => {
    const before = received;
    await new Promise((resolve) => setTimeout(resolve, 150));
    return received === before;
  };
  const quarantine = (name: string, namespace: string) =>
    cluster.create(KIND.Quarantine, {
      apiVersion: API_VERSION,
      kind: 'Quarantine',
      metadata: { name },
      spec: { namespace, reason: 'test', requestedBy: 'test', bans: [] },
    });

  it('cuts open connections of a contained namespace within a second, and gives them back', async () => {
    const { cgroup } = await runPod('attacked');
    const talker = talk(cgroup);
    await expect.poll(silent).toBe(false);
    await quarantine('attacked', 'attacked');
    await expect.poll(silent, { timeout: 1000 }).toBe(true);
    await cluster.delete(KIND.Quarantine, { name: 'attacked' });
    await expect.poll(silent, { timeout: 10_000 }).toBe(false);
    talker.kill('SIGKILL');
  });

  it('leaves other namespaces, and the protected ones, their connections', async () => {
    for (const namespace of ['neighbour', 'kube-system']) {
      const { cgroup } = await runPod(namespace);
      const talker = talk(cgroup);
      await quarantine(`contain-${namespace}`, namespace === 'neighbour' ? 'somebody-else' : namespace);
      await expect.poll(silent).toBe(false);
      talker.kill('SIGKILL');
      await once(talker, 'close');
    }
  });

  it('enforces when a policy says so, but never in protected namespaces', async () => {
    const shop = await runPod('shop');
    const system = await runPod('kube-system');
    const xmrig = arena.standIn('xmrig');
    await cluster.create(KIND.SentryPolicy, {
      apiVersion: API_VERSION,
      kind: 'SentryPolicy',
      metadata: { name: 'strict', namespace: SYSTEM_NAMESPACE },
      spec: { runtime: { mode: 'enforce' }, indicators: { names: ['house-miner'] } },
    });
    await expect
      .poll(() => arena.run([xmrig, '0'], { cgroup: shop.cgroup }))
      .toMatchObject({ signal: 'SIGKILL' });
    expect(await arena.run([xmrig, '0'], { cgroup: system.cgroup })).toMatchObject({ code: 0 });
    expect(await arena.run([arena.standIn('house-miner'), '0'], { cgroup: shop.cgroup })).toMatchObject({
      signal: 'SIGKILL',
    });
    await cluster.delete(KIND.SentryPolicy, { name: 'strict', namespace: SYSTEM_NAMESPACE });
    await expect.poll(() => arena.run([xmrig, '0'], { cgroup: shop.cgroup })).toMatchObject({ code: 0 });
  });

  it('freezes where a policy says so, in the namespaces that it names, until the release', async () => {
    const lab = await runPod('attacked');
    const shop = await runPod('shop');
    const system = await runPod('kube-system');
    const isFrozen = () => readFileSync(join(lab.cgroup, 'cgroup.freeze'), 'utf8').trim() === '1';
    await cluster.create(KIND.SentryPolicy, {
      apiVersion: API_VERSION,
      kind: 'SentryPolicy',
      metadata: { name: 'forensics', namespace: SYSTEM_NAMESPACE },
      spec: {
        runtime: { stop: 'freeze', namespaces: [{ names: ['attack*', 'kube-system'], mode: 'enforce' }] },
      },
    });
    await quarantine('evidence', 'attacked');
    const path = arena.standIn('xmrig');
    const miners: ChildProcess[] = [];
    const mineAgain = () => {
      if (!isFrozen()) miners.push(arena.start([path, '0.2', 'evidence'], { cgroup: lab.cgroup }));
      return isFrozen();
    };
    await expect.poll(mineAgain, { timeout: 10_000, interval: 300 }).toBe(true);
    // One that had not executed yet would be found after the release.
    for (const miner of miners) miner.kill('SIGKILL');
    await arena.detected(({ process, action }) => process.argv.includes('evidence') && action === 'frozen');
    for (const { cgroup } of [shop, system])
      expect(await arena.run([path, '0.1'], { cgroup })).toMatchObject({ code: 0 });
    await cluster.delete(KIND.Quarantine, { name: 'evidence' });
    await expect.poll(isFrozen, { timeout: 5000 }).toBe(false);
    await cluster.delete(KIND.SentryPolicy, { name: 'forensics', namespace: SYSTEM_NAMESPACE });
  });

  it('reports what is exempt, and leaves it alone', async () => {
    const lab = await runPod('neighbour');
    const shop = await runPod('shop');
    const xmrig = arena.standIn('xmrig');
    await cluster.create(KIND.SentryPolicy, {
      apiVersion: API_VERSION,
      kind: 'SentryPolicy',
      metadata: { name: 'lab', namespace: SYSTEM_NAMESPACE },
      spec: {
        runtime: { mode: 'enforce' },
        exemptions: [{ namespaces: ['neighbour'], rules: ['miner-name'], reason: 'a lab' }],
      },
    });
    await expect
      .poll(() => arena.run([xmrig, '0'], { cgroup: shop.cgroup }))
      .toMatchObject({ signal: 'SIGKILL' });
    expect(await arena.run([xmrig, '0', 'exempt'], { cgroup: lab.cgroup })).toMatchObject({ signal: null });
    await arena.detected(({ process, action }) => process.argv.includes('exempt') && action === 'none');
    await cluster.delete(KIND.SentryPolicy, { name: 'lab', namespace: SYSTEM_NAMESPACE });
  });
});
