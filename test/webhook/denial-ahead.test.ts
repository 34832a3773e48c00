import { afterEach, expect, it } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import type { Incident } from '../../api/incident.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { Policy } from '../../webhook/admission/policy.ts';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';
import { CONFIGURATION_NAME } from '../../webhook/configuration.ts';
import { correlate } from '../../webhook/incident/correlate.ts';
import { PodIndex } from '../../webhook/pod-index.ts';
import { QuarantineIndex } from '../../webhook/quarantine-index.ts';
import { plan } from '../../webhook/response/plan.ts';
import { perform, type StepTools } from '../../webhook/response/steps.ts';
import { type RunningWebhook, startWebhook } from '../../webhook/start.ts';
import { detectionIn, report } from './detections.ts';
import {
  eventually,
  indicators,
  log,
  openScene,
  podOf,
  post,
  review,
  type Scene,
  userOf,
} from './harness.ts';

let scene: Scene;
let webhook: RunningWebhook;
afterEach(() => webhook.close());

/** The only replica, whose writes of one kind wait for `before`; somebody mines in shop, and it has been told. */
async function mining(kind: 'Quarantine' | 'Namespace', before: () => Promise<void>): Promise<void> {
  scene = await openScene();
  await scene.webhook.close();
  await scene.cluster.delete(KIND.ValidatingWebhookConfiguration, { name: CONFIGURATION_NAME });
  const cluster = new Proxy(scene.cluster.as(userOf('webhook')), {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      if (name !== 'create' && name !== 'patch') return method.bind(target);
      return async (of: { kind: string }, ...rest: unknown[]) => {
        if (of.kind === kind) await before();
        return method.call(target, of, ...rest);
      };
    },
  }) as Cluster;
  const certificates = await ephemeralCertificate(['127.0.0.1']);
  webhook = await startWebhook({ cluster, indicators, certificates, log, timeouts: { drain: 0 } });
  await webhook.ready;
  const pod = await scene.cluster.create(KIND.Pod, {
    ...podOf('web', 'shop'),
    spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'web:1', command: ['serve'] }] },
  });
  const { json } = await report({ ...scene, webhook }, 'node-1', [detectionIn(pod)]);
  expect(json.acknowledged).toHaveLength(1);
}

const answer = async (namespace: string, container: object = {}) =>
  (await post(webhook, '/validate', review(podOf('x', namespace, container)))).json.response;
const quarantines = async () => (await scene.cluster.list(KIND.Quarantine)).items;
const label = async () =>
  (await scene.cluster.get(KIND.Namespace, { name: 'shop' }))?.metadata.labels?.['kubesentry.io/quarantine'];

it('whoever acknowledged refuses at once, before the API server has taken the Quarantine', async () => {
  const held = Promise.withResolvers<void>();
  await mining('Quarantine', () => held.promise);
  expect(await answer('shop')).toMatchObject({ allowed: false });
  expect(await answer('billing', { image: 'web:1', command: ['serve'] })).toMatchObject({ allowed: false });
  expect(await answer('billing')).toMatchObject({ allowed: true });
  expect(await quarantines()).toEqual([]);
  // The label has gone ahead, and nobody takes it for one that is left over.
  await eventually(label, 'the label');
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await label()).toBeDefined();
  held.resolve();
  await eventually(async () => (await quarantines())[0]?.status?.since, 'an active quarantine');
});

it('the leader leaves a label that another replica wrote ahead, also before it has heard of the incident', async () => {
  await mining('Quarantine', () => Promise.resolve());
  const [quarantine] = await eventually(async () => {
    const found = await quarantines();
    return found[0]?.status?.phase === 'Active' ? found : undefined;
  }, 'an active quarantine');
  const name = quarantine?.metadata.name as string;
  await webhook.close();
  await scene.cluster.delete(KIND.Quarantine, { name });
  const contained = await scene.cluster.get(KIND.Incident, { name });
  const status = { ...contained?.status, phase: 'Confirmed' };
  await scene.cluster.patch(KIND.Incident, { name }, { status }, { subresource: 'status' });
  const step = { do: 'label', namespace: 'shop', from: name, to: undefined } as const;
  const tools = { cluster: scene.cluster, clock: () => new Date() } as unknown as StepTools;
  await perform({ ...step, isSure: false }, tools);
  expect(await label()).toBe(name);
  await perform({ ...step, isSure: true }, tools);
  expect(await label()).toBeUndefined();
});

it('a look at everything plans no end of a label whose Quarantine is being written', () => {
  const pods = new PodIndex();
  const pod = { ...podOf('web', 'shop'), metadata: { name: 'web', namespace: 'shop', uid: 'u' } };
  pods.set(pod);
  const subject = { namespace: 'shop', workload: { kind: 'Pod', name: 'web' } };
  const detection = detectionIn(pod);
  const about = { name: 'shop-web', subject, confirmFrom: 0.9 };
  const incident = correlate(undefined, [{ detection, node: 'node-1', traits: [] }], about);
  const labels = { 'kubesentry.io/quarantine': 'shop-web' };
  const planned = (known: Incident | undefined) =>
    plan({
      incidents: known ? [known] : [],
      quarantines: new QuarantineIndex(),
      namespaces: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } }],
      pods,
      policy: new Policy([]),
      policies: [],
      detached: [],
      isIsolated: () => false,
      incidentNamed: () => known,
      policyGaps: [],
      now: new Date(),
    }).map((step) => step.do);
  expect(planned(incident)).toContain('quarantine');
  expect(planned(incident)).not.toContain('label');
  expect(planned(undefined)).toEqual(['label']);
  expect(planned({ ...incident, spec: { ...incident.spec, dismissed: 'no' } })).not.toContain('quarantine');
});

it('a Quarantine does not wait for a label that is not taken', async () => {
  const held = Promise.withResolvers<void>();
  await mining('Namespace', () => held.promise);
  await eventually(async () => (await quarantines())[0], 'the quarantine');
  expect(await label()).toBeUndefined();
  held.resolve();
  await eventually(label, 'the label');
});

it('a Quarantine that could not be written refuses nothing for ever', async () => {
  let refused = 0;
  await mining('Quarantine', async () => {
    refused++;
    throw new KubesentryError('KUBE_REFUSED', 'not now');
  });
  await eventually(() => (refused >= 1 ? true : undefined), 'an attempt');
  await scene.cluster.patch(
    KIND.Incident,
    { name: (await scene.cluster.list(KIND.Incident)).items[0]?.metadata.name as string },
    { spec: { dismissed: 'a drill' } },
  );
  await eventually(async () => ((await label()) === undefined ? true : undefined), 'no label');
  await eventually(async () => ((await answer('shop')).allowed ? true : undefined), 'a pod that is admitted');
});
