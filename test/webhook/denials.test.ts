import { Agent } from 'node:https';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Denial } from '../../api/denial.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { expireDenials } from '../../webhook/admission/denial-expiry.ts';
import { DenialRecorder } from '../../webhook/admission/denials.ts';
import { stdoutLog } from '../../webhook/log.ts';
import { Metrics } from '../../webhook/metrics.ts';
import {
  denialsIn,
  eventually,
  MINER,
  openScene,
  podOf,
  post,
  refusal,
  review,
  type Scene,
  workloadOf,
} from './harness.ts';

const keepAlive = new Agent({ keepAlive: true });
let scene: Scene;
let now: Date;
beforeEach(async () => {
  now = new Date('2026-06-01T00:00:00.000Z');
  scene = await openScene({ clock: () => now });
});
afterEach(() => scene[Symbol.asyncDispose]());

const metric = async (outcome: string) => {
  const text = await (await fetch(`${scene.webhook.probeUrl}/metrics`)).text();
  const line = text
    .split('\n')
    .find((each) => each.startsWith(`kubesentry_denials_total{outcome="${outcome}"}`));
  return Number(line?.split(' ')[1] ?? 0);
};

describe('a refused request', () => {
  it('that is repeated is one record with a count, the first and the last time', async () => {
    const create = () => refusal(scene.as('alice').create(KIND.Pod, podOf('x', 'shop', MINER)));
    await create();
    await scene.webhook.denialsKept();
    now = new Date('2026-06-01T01:00:00.000Z');
    await Promise.all([create(), create(), create()]);
    await scene.webhook.denialsKept();
    const denials = await denialsIn(scene.cluster, 'shop');
    expect(denials.map(({ status }) => status)).toMatchObject([
      { count: 4, firstSeen: '2026-06-01T00:00:00.000Z', lastSeen: '2026-06-01T01:00:00.000Z' },
    ]);
    expect(await metric('created')).toBe(1);
    expect(await metric('counted')).toBe(3);
  });

  it('of a controller is the same one although each pod has another name', async () => {
    const pod = (name: string) => {
      const object = podOf(name, 'shop', MINER);
      const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'x', uid: 'u', controller: true };
      object.metadata = { ...object.metadata, generateName: 'x-', ownerReferences: [owner] };
      return object;
    };
    for (const name of ['x-1', 'x-2', 'x-3']) await post(scene.webhook, '/validate', review(pod(name)));
    await scene.webhook.denialsKept();
    const [denial, ...others] = await denialsIn(scene.cluster, 'shop');
    expect(others).toEqual([]);
    expect(denial).toMatchObject({ spec: { resource: { name: 'x-' } }, status: { count: 3 } });
    const [event] = (await scene.cluster.list(KIND.Event, { namespace: 'shop' })).items;
    expect(event).toMatchObject({
      reason: 'AdmissionDenied',
      type: 'Warning',
      regarding: { kind: 'DaemonSet', name: 'x', uid: 'u' },
      eventTime: '2026-06-01T00:00:00.000000Z',
    });
    expect(event?.note).toContain(`kubectl kubesentry explain ${denial?.metadata.name}`);
  });

  it('keeps what matched, and nothing of other arguments, variables, and the text around', async () => {
    const pool = 'stratum+tcp://pool.example.com:3333';
    const script = `export PASSWORD=hunter2; ./xmrig -o ${pool} -u me -p hunter3 --api-access-token=hunter4`;
    const env = [
      { name: 'TOKEN', value: 'hunter5' },
      { name: 'XMRIG_PASS', value: 'hunter6' },
      { name: 'POOL_URL', value: pool },
    ];
    const miner = workloadOf('DaemonSet', 'web', 'shop', {
      command: ['sh', '-c', script],
      args: ['--pass=hunter7'],
      env,
    });
    await refusal(scene.as('alice').create(KIND.DaemonSet, miner));
    const record = await eventually(async () => (await denialsIn(scene.cluster, 'shop'))[0], 'denial');
    expect(JSON.stringify(record)).toContain(pool);
    expect(JSON.stringify(record)).not.toContain('hunter');
  });

  it('of something else is another record', async () => {
    await post(scene.webhook, '/validate', review(podOf('x', 'shop', MINER)));
    await post(scene.webhook, '/validate', review(podOf('y', 'shop', MINER)));
    await post(scene.webhook, '/validate', review(podOf('x', 'billing', MINER)));
    await scene.webhook.denialsKept();
    expect((await scene.cluster.list(KIND.Denial)).items).toHaveLength(3);
  });

  it('on a dry run leaves no trace, and the message says so', async () => {
    const create = scene.as('alice').create(KIND.Pod, podOf('x', 'shop', MINER), { dryRun: true });
    expect(await refusal(create)).toContain('Dry run: nothing is recorded.');
    await scene.webhook.denialsKept();
    expect(await denialsIn(scene.cluster, 'shop')).toEqual([]);
    expect((await scene.cluster.list(KIND.Event, { namespace: 'shop' })).items).toEqual([]);
  });
});

describe('a flood of different requests', () => {
  it('fills no more than the share of its namespace, and the rest is counted as lost', async () => {
    for (let index = 0; index < 520; index++) {
      await post(scene.webhook, '/validate', review(podOf(`x-${index}`, 'shop', MINER)), {
        agent: keepAlive,
      });
      if (index % 250 === 0) await scene.webhook.denialsKept();
    }
    await scene.webhook.denialsKept();
    expect(await denialsIn(scene.cluster, 'shop')).toHaveLength(500);
    expect(await metric('lost-namespace-full')).toBe(20);
    await post(scene.webhook, '/validate', review(podOf('x', 'billing', MINER)));
    await scene.webhook.denialsKept();
    expect(await denialsIn(scene.cluster, 'billing')).toHaveLength(1);
  });
});

describe('a storm', () => {
  it('is described no further than what waits to be written; the rest is counted', async () => {
    const metrics = new Metrics();
    const recorder = new DenialRecorder({
      cluster: new MemoryCluster({}),
      clock: () => now,
      metrics,
      log: stdoutLog('silent'),
    });
    let described = 0;
    const describeOne = (name: string) => () => {
      described++;
      return { denial: { metadata: { name, namespace: 'nowhere' } } as Denial, message: '' };
    };
    for (let at = 0; at < 3_000; at++) {
      recorder.record({ name: `d-${at}`, namespace: 'nowhere' }, describeOne(`d-${at}`));
      recorder.record({ name: 'd-0', namespace: 'nowhere' }, describeOne('d-0'));
    }
    expect(described).toBeLessThan(1_100);
    await recorder.close();
    const counts = (await metrics.denials.get()).values.map(({ value }) => value);
    expect(counts.reduce((sum, value) => sum + value, 0)).toBe(6_000);
  });
});

describe('a namespace that does not exist', () => {
  it('costs a record, not the answer', async () => {
    const { json } = await post(scene.webhook, '/validate', review(podOf('x', 'nowhere', MINER)));
    expect(json.response.allowed).toBe(false);
    await scene.webhook.denialsKept();
    expect(await metric('lost-refused')).toBe(1);
  });
});

describe('old records', () => {
  it('are deleted a week after the last attempt', async () => {
    await post(scene.webhook, '/validate', review(podOf('old', 'shop', MINER)));
    await scene.webhook.denialsKept();
    now = new Date('2026-06-05T00:00:00Z');
    await post(scene.webhook, '/validate', review(podOf('new', 'shop', MINER)));
    await scene.webhook.denialsKept();
    expect(await expireDenials(scene.as('webhook'), new Date('2026-06-07T00:00:00Z'))).toBe(0);
    expect(await expireDenials(scene.as('webhook'), new Date('2026-06-09T00:00:00Z'))).toBe(1);
    expect((await denialsIn(scene.cluster, 'shop')).map(({ spec }) => spec.resource.name)).toEqual(['new']);
  });
});
