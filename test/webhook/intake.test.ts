import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Detection } from '../../api/detection.ts';
import { KubesentryError } from '../../api/errors.ts';
import { LABEL } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { detectionIn, idOf, report } from './detections.ts';
import { agentToken, eventually, openScene, podOf, post, type Scene } from './harness.ts';

let scene: Scene;
let pod: KubeObject;
beforeEach(async () => {
  scene = await openScene();
  pod = await scene.as('alice').create(KIND.Pod, {
    ...podOf('web', 'shop'),
    metadata: {
      name: 'web',
      namespace: 'shop',
      labels: { 'pod-template-hash': 'abc12' },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-abc12', uid: 'u', controller: true },
      ],
    },
    spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'registry.example.com/web:1' }] },
  });
});
afterEach(() => scene[Symbol.asyncDispose]());

const incidents = async () => (await scene.cluster.list(KIND.Incident)).items;

/** Detections that incidents hold, or count because they found no room. */
const counted = async () =>
  (await incidents()).reduce(
    (sum, { status }) => sum + (status?.detections.length ?? 0) + (status?.omitted.detections ?? 0),
    0,
  );

describe('a detection', () => {
  it('is kept with what the cluster knows of its pod before it is acknowledged', async () => {
    const detection = detectionIn(pod, { confidence: 0.6 });
    const { json } = await report(scene, 'node-1', [detection]);
    expect(json).toEqual({ acknowledged: [detection.id], rejected: [] });
    const [incident] = await incidents();
    expect(incident?.spec).toEqual({ namespace: 'shop', workload: { kind: 'Deployment', name: 'web' } });
    expect(incident?.status).toMatchObject({
      phase: 'Detected',
      confidence: 0.6,
      nodes: ['node-1'],
      pods: ['shop/web'],
    });
    expect(incident?.status?.detections[0]?.container).toMatchObject({
      namespace: 'shop',
      pod: 'web',
      name: 'main',
      image: 'registry.example.com/web:1',
      workload: { kind: 'Deployment', name: 'web' },
    });
  });

  it('that comes twice changes nothing', async () => {
    const detection = detectionIn(pod, { confidence: 0.6 });
    await report(scene, 'node-1', [detection]);
    const [before] = await incidents();
    const { json } = await report(scene, 'node-1', [detection, detection]);
    expect(json.acknowledged).toEqual([detection.id]);
    expect(await incidents()).toEqual([before]);
  });

  it('of a pod that is on no node yet waits until it is on one', async () => {
    const waiting = await scene.cluster.create(KIND.Pod, podOf('waiting', 'billing'));
    // Until the watch has shown it.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const detection = detectionIn(waiting);
    expect((await report(scene, 'node-2', [detection])).json).toEqual({ acknowledged: [], rejected: [] });
    expect(await incidents()).toEqual([]);
    const key = { name: 'waiting', namespace: 'billing' };
    await scene.cluster.patch(KIND.Pod, key, { spec: { nodeName: 'node-1' } });
    await eventually(async () => {
      const { json } = await report(scene, 'node-2', [detection]);
      return json.rejected[0]?.code === 'NOT_YOUR_NODE' ? true : undefined;
    }, 'refusal of the other node');
    const { json } = await report(scene, 'node-1', [detection]);
    expect(json.acknowledged).toEqual([detection.id]);
  });

  it('of a pod on another node is refused for good', async () => {
    const detection = detectionIn(pod);
    const { status, json } = await report(scene, 'node-2', [detection]);
    expect(status).toBe(200);
    expect(json.rejected).toMatchObject([{ id: detection.id, code: 'NOT_YOUR_NODE' }]);
    expect(await incidents()).toEqual([]);
  });

  it('that is malformed does not cost the others', async () => {
    const good = detectionIn(pod, { confidence: 0.5 });
    const bad = { ...good, id: idOf('bad'), confidence: 'very' };
    const leap = { ...good, id: idOf('leap'), time: '2026-06-30T23:59:60Z' };
    const { json } = await report(scene, 'node-1', [bad, good, leap, 7, null]);
    expect(json.acknowledged).toEqual([good.id]);
    expect(json.rejected).toMatchObject([
      { id: bad.id, code: 'BODY_INVALID', message: expect.stringContaining('confidence') },
      { id: leap.id, code: 'BODY_INVALID', message: expect.stringContaining('time') },
      { id: '', code: 'BODY_INVALID' },
      { id: '', code: 'BODY_INVALID' },
    ]);
  });

  it('of a process of the node itself is about the node', async () => {
    await report(scene, 'node-1', [detectionIn(undefined, { id: idOf('host') })]);
    const [incident] = await incidents();
    expect(incident?.spec).toEqual({ namespace: '', workload: { kind: 'Node', name: 'node-1' } });
    expect((await scene.cluster.list(KIND.Quarantine)).items).toEqual([]);
  });

  it('is not acknowledged while the API server does not take it, and is asked for again', async () => {
    await using broken = await openScene();
    const target = await broken.cluster.create(KIND.Pod, { ...podOf('web', 'shop'), spec: pod.spec });
    const original = MemoryCluster.prototype.create;
    MemoryCluster.prototype.create = async function (kind, ...rest) {
      if (kind.kind === 'Incident') throw new KubesentryError('KUBE_UNREACHABLE', 'etcd is away');
      return original.call(this, kind, ...rest) as never;
    };
    try {
      const { status, json, headers } = await report(broken, 'node-1', [detectionIn(target)]);
      expect([status, json.code, headers['retry-after']]).toEqual([503, 'KUBE_UNREACHABLE', '2']);
    } finally {
      MemoryCluster.prototype.create = original;
    }
    const { json } = await report(broken, 'node-1', [detectionIn(target)]);
    expect(json.acknowledged).toHaveLength(1);
  });
});

describe('a report', () => {
  it.each([
    ['is not JSON', 'x', 400, 'BODY_NOT_JSON'],
    [
      'has another kind',
      { apiVersion: 'kubesentry.io/v1alpha1', kind: 'X', node: 'node-1', detections: [] },
      422,
      'BODY_INVALID',
    ],
    [
      'holds too many',
      {
        apiVersion: 'kubesentry.io/v1alpha1',
        kind: 'DetectionReport',
        node: 'node-1',
        detections: Array(501).fill({}),
      },
      422,
      'BODY_INVALID',
    ],
    ['is too large', Buffer.alloc(9 * 1024 * 1024, ' '), 413, 'BODY_TOO_LARGE'],
    ['nests too deep', '['.repeat(1000), 400, 'BODY_TOO_DEEP'],
  ])('that %s is refused with the reason', async (_, body, status, code) => {
    const headers = { authorization: `Bearer ${await agentToken(scene.cluster, 'node-1')}` };
    const answer = await post(scene.webhook, '/v1/detections', body, { headers });
    expect([answer.status, answer.json.code]).toEqual([status, code]);
  });

  it('that comes with many others at once is taken or answered with 429 and when to come again, and nothing is lost', async () => {
    const token = `Bearer ${await agentToken(scene.cluster, 'node-1')}`;
    const all = manyOf(80, { evidence: { output: 'x'.repeat(500_000) } });
    const taking = slowly('create');
    const answers = Promise.all(all.map((detection) => report(scene, 'node-1', [detection], token)));
    // The first write is held, so that the others wait, in the journal as well, until there is no room.
    await eventually(
      async () => ((await turnedAwayBy(scene)) > 0 ? true : undefined),
      'a report turned away',
    );
    taking.goOn();
    const turnedAway = (await answers).filter(({ status }) => status === 429);
    for (const { headers, json } of turnedAway) {
      expect([headers['retry-after'], json.code]).toEqual(['2', 'OVERLOADED']);
    }
    const acknowledged = (await answers).flatMap(({ json }) => json.acknowledged ?? []);
    expect(acknowledged.length + turnedAway.length).toBe(all.length);
    await eventually(
      async () => ((await counted()) === acknowledged.length ? true : undefined),
      'all counted',
    );
  });

  it('that comes while its incident is being written goes along with the next write', async () => {
    const token = `Bearer ${await agentToken(scene.cluster, 'node-1')}`;
    const all = manyOf(100);
    const taking = slowly('create');
    const answers = all.map((detection) => report(scene, 'node-1', [detection], token));
    await taking.begun;
    const writes = vi.spyOn(MemoryCluster.prototype, 'update');
    taking.goOn();
    expect((await Promise.all(answers)).every(({ json }) => json.acknowledged.length === 1)).toBe(true);
    const ofIncidents = writes.mock.calls.filter(([kind]) => kind.kind === 'Incident');
    expect(ofIncidents.length).toBeLessThan(all.length / 2);
    writes.mockRestore();
    await eventually(async () => ((await counted()) === all.length ? true : undefined), 'all counted');
  });

  it('that the API server refuses does not cost those that would have been written with it', async () => {
    const token = `Bearer ${await agentToken(scene.cluster, 'node-1')}`;
    const all = manyOf(10);
    const poison = all[4]?.id as string;
    const { update } = MemoryCluster.prototype;
    MemoryCluster.prototype.update = async function (kind, object, ...rest) {
      if (JSON.stringify(object).includes(poison))
        throw new KubesentryError('KUBE_REFUSED', 'spec.x: too long');
      return update.call(this, kind, object, ...rest) as never;
    };
    try {
      const taking = slowly('create');
      const answers = all.map((detection) => report(scene, 'node-1', [detection], token));
      await taking.begun;
      taking.goOn();
      const statuses = (await Promise.all(answers)).map(({ status }) => status);
      const others = statuses.filter((_, at) => all[at]?.id !== poison);
      expect(others).toEqual(others.map(() => 200));
      await eventually(
        async () => ((await counted()) === others.length ? true : undefined),
        'the others kept',
      );
      // Either nobody acknowledged it, or the journal has it.
      const { items } = await scene.cluster.list(KIND.ConfigMap, { labelSelector: LABEL.journal });
      expect(statuses[4] === 503 || items.length > 0).toBe(true);
    } finally {
      MemoryCluster.prototype.update = update;
    }
  });

  const manyOf = (many: number, more: Partial<Detection> = {}) =>
    Array.from({ length: many }, (_, pid) =>
      detectionIn(pod, {
        id: idOf(`${pid}`),
        confidence: 0.5,
        process: { ...detectionIn(pod).process, pid },
        ...more,
      }),
    );
});

/** The API server takes the first Incident only when it is told to. */
function slowly(verb: 'create') {
  const original = MemoryCluster.prototype[verb];
  const [begun, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  MemoryCluster.prototype[verb] = async function (kind, ...rest) {
    if (kind.kind === 'Incident') {
      begun.resolve();
      await held.promise;
    }
    return original.call(this, kind, ...rest) as never;
  };
  return {
    begun: begun.promise,
    goOn() {
      MemoryCluster.prototype[verb] = original;
      held.resolve();
    },
  };
}

async function turnedAwayBy({ webhook }: Scene): Promise<number> {
  const text = await (await fetch(`${webhook.probeUrl}/metrics`)).text();
  return Number(/kubesentry_reports_total\{status="429"\} (\d+)/.exec(text)?.[1] ?? 0);
}
