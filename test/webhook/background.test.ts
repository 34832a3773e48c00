import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { SentryPolicySpec } from '../../api/sentry-policy.ts';
import { readAll } from '../../cli/cluster-resources.ts';
import { KIND } from '../../kube/kind.ts';
import { DaemonSetController } from '../../kube/memory/daemon-set-controller.ts';
import { eventually, MINER, openScene, type Scene, workloadOf } from './harness.ts';

let scene: Scene;
let controller: DaemonSetController;
beforeAll(async () => {
  scene = await openScene();
  controller = new DaemonSetController(scene.cluster, () => {});
  // They were there before Kubesentry was.
  const key = { name: 'kubesentry' };
  const configuration = await scene.cluster.get(KIND.ValidatingWebhookConfiguration, key);
  await scene.cluster.delete(KIND.ValidatingWebhookConfiguration, key);
  await scene.cluster.create(KIND.DaemonSet, workloadOf('DaemonSet', 'optimizer', 'shop', MINER));
  await scene.cluster.create(KIND.Deployment, workloadOf('Deployment', 'web', 'shop'));
  await eventually(
    async () =>
      (await scene.cluster.list(KIND.Pod, { namespace: 'shop' })).items.length === 2 ? true : undefined,
    'two pods of the miner',
  );
  const { resourceVersion: _, uid: __, ...metadata } = configuration?.metadata ?? {};
  await scene.cluster.create(KIND.ValidatingWebhookConfiguration, {
    ...(configuration as KubeObject),
    metadata,
  });
});
afterAll(async () => {
  await controller.stop();
  await scene[Symbol.asyncDispose]();
});

/** A change of policy is a reason to look again. */
async function policy(spec: SentryPolicySpec): Promise<void> {
  const key = { name: 'background', namespace: SYSTEM_NAMESPACE };
  await scene.cluster.apply(KIND.SentryPolicy, {
    apiVersion: 'kubesentry.io/v1alpha1',
    kind: 'SentryPolicy',
    metadata: key,
    spec,
  });
}

const results = async () =>
  (await scene.cluster.get(KIND.ConfigMap, { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-background' })) as
    | (KubeObject & { data: Record<string, string> })
    | undefined;

describe('what exists already', () => {
  it('is judged, and what would be refused is named once, by its owner, without any effect', async () => {
    await policy({ admission: { mode: 'enforce' } });
    const { data } = await eventually(async () => {
      const found = await results();
      return found?.data.found === '1' ? found : undefined;
    }, 'the results of a round');
    expect(data.workloads).toMatch(/^DaemonSet shop\/optimizer: [a-z-]+ \(score 100\)$/);
    const { items } = await scene.cluster.list(KIND.Event, { namespace: 'shop' });
    expect(items.filter(({ reason }) => reason === 'WouldBeRefused')).toHaveLength(1);
    expect((await scene.cluster.list(KIND.Incident)).items).toEqual([]);
  });

  it('is a Report of its workload, which goes when it would no longer be refused', async () => {
    const reports = async () => (await scene.cluster.list(KIND.Report, { namespace: 'shop' })).items;
    const [report] = await eventually(async () => {
      const all = await reports();
      return all.length > 0 ? all : undefined;
    }, 'a report');
    expect(report).toMatchObject({
      metadata: { ownerReferences: [{ kind: 'DaemonSet', name: 'optimizer' }] },
      scope: { kind: 'DaemonSet', name: 'optimizer', namespace: 'shop' },
      results: expect.arrayContaining([
        expect.objectContaining({ source: 'kubesentry', result: 'fail', severity: 'critical' }),
      ]),
    });
    await policy({ admission: { mode: 'off' } });
    await eventually(async () => ((await reports()).length === 0 ? true : undefined), 'no report');
    await policy({ admission: { mode: 'enforce' } });
    await eventually(async () => (await reports())[0], 'a report again');
  });

  it('becomes an incident when the policy says respond', async () => {
    await policy({ background: 'respond', response: { quarantine: 'off' } });
    const incident = await eventually(
      async () => (await scene.cluster.list(KIND.Incident)).items[0],
      'an incident',
    );
    expect(incident.spec).toMatchObject({
      namespace: 'shop',
      workload: { kind: 'DaemonSet', name: 'optimizer' },
    });
  });

  it('is listed by a scan of the cluster, owners instead of their pods', async () => {
    const { resources, errors } = await readAll(scene.cluster, 'shop');
    expect(errors).toEqual([]);
    const kinds = resources.map(({ object }) => (object as KubeObject).kind);
    expect(kinds).toEqual(['DaemonSet', 'Deployment']);
  });
});
