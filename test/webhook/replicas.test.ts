import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/object.ts';
import { KIND } from '../../kube/kind.ts';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';
import { type RunningWebhook, startWebhook } from '../../webhook/start.ts';
import { activeQuarantine } from './attack.ts';
import { detectionIn, idOf, report } from './detections.ts';
import {
  agentToken,
  eventually,
  indicators,
  log,
  MINER,
  openScene,
  podOf,
  post,
  review,
  type Scene,
} from './harness.ts';

let scene: Scene;
let second: RunningWebhook;
let pods: KubeObject[];
beforeEach(async () => {
  scene = await openScene({ identity: 'first' });
  second = await startWebhook({
    cluster: scene.as('webhook'),
    indicators,
    certificates: await ephemeralCertificate(['127.0.0.1']),
    log,
    identity: 'second',
    timeouts: { drain: 0 },
  });
  await second.ready;
  pods = await Promise.all(
    ['node-1', 'node-2'].map((nodeName) =>
      scene.cluster.create(KIND.Pod, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: `web-${nodeName}`,
          namespace: 'shop',
          ownerReferences: [
            { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'web', uid: 'u', controller: true },
          ],
        },
        spec: { nodeName, containers: [{ name: 'main', image: 'web:1' }] },
      }),
    ),
  );
});
afterEach(async () => {
  await second.close();
  await scene[Symbol.asyncDispose]();
});

const viaSecond = (): Scene => ({ ...scene, webhook: second });

describe('two replicas', () => {
  it('make one incident of what they hear at the same time, and lose nothing', async () => {
    const detections = (node: number) =>
      Array.from({ length: 10 }, (_, index) =>
        detectionIn(pods[node], { id: idOf(`${node}/${index}`), confidence: 0.5 }),
      );
    for (const node of ['node-1', 'node-2']) await agentToken(scene.cluster, node);
    const answers = await Promise.all([
      report(scene, 'node-1', detections(0)),
      report(viaSecond(), 'node-2', detections(1)),
      report(scene, 'node-1', detections(0)),
    ]);
    expect(answers.flatMap(({ json }) => json.acknowledged)).toHaveLength(30);
    // A busy machine acknowledges what is in the journal, from where it gets into the incident.
    const incident = await eventually(async () => {
      const { items } = await scene.cluster.list(KIND.Incident);
      expect(items).toHaveLength(1);
      return items[0]?.status?.detections.length === 20 ? items[0] : undefined;
    }, 'all twenty in one incident');
    expect(incident.status?.nodes).toEqual(['node-1', 'node-2']);
  });

  it('both refuse what one of them contained', async () => {
    await report(scene, 'node-1', [detectionIn(pods[0])]);
    await activeQuarantine(scene);
    const ask = async (webhook: RunningWebhook) =>
      (await post(webhook, '/validate', review(podOf('x', 'shop')))).json.response.allowed;
    expect(await ask(scene.webhook)).toBe(false);
    await eventually(async () => ((await ask(second)) ? undefined : true), 'the other replica');
  });

  it('count the repeats of one request together', async () => {
    const ask = (webhook: RunningWebhook) => post(webhook, '/validate', review(podOf('x', 'shop', MINER)));
    await Promise.all(Array.from({ length: 20 }, (_, index) => ask(index % 2 ? second : scene.webhook)));
    await Promise.all([scene.webhook.denialsKept(), second.denialsKept()]);
    const [denial] = (await scene.cluster.list(KIND.Denial, { namespace: 'shop' })).items;
    expect(denial?.status?.count).toBe(20);
  });

  it('hand the response over: a quarantine is released whoever leads', async () => {
    await report(scene, 'node-1', [detectionIn(pods[0])]);
    const quarantine = await activeQuarantine(scene);
    await scene.webhook.close();
    // No webhook is registered at an address that answers: what guards is asked from the survivor's side.
    await scene.cluster.delete(KIND.ValidatingWebhookConfiguration, { name: 'kubesentry' });
    await scene.cluster.delete(KIND.Quarantine, { name: quarantine.metadata.name as string });
    await eventually(async () => {
      const namespace = await scene.cluster.get(KIND.Namespace, { name: 'shop' });
      return 'kubesentry.io/quarantine' in (namespace?.metadata.labels ?? {}) ? undefined : true;
    }, 'the label to go');
  });
});
