import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';
import { CONFIGURATION_NAME } from '../../webhook/configuration.ts';
import { startWebhook } from '../../webhook/start.ts';
import { detectionIn, report } from './detections.ts';
import { eventually, indicators, log, openScene, podOf, userOf } from './harness.ts';

/** Pods that claim to have been taken out of Services, and how long the API server takes to change one. */
const PODS = 200;
const SLOW_MS = 50;

it('whoever labels pods as if they had been detached does not delay the containment of their namespace', async () => {
  const scene = await openScene();
  await scene.webhook.close();
  await scene.cluster.delete(KIND.ValidatingWebhookConfiguration, { name: CONFIGURATION_NAME });
  const labels = { 'kubesentry.io/detached': 'nothing' };
  for (let at = 0; at < PODS; at++) {
    const { metadata, ...pod } = podOf(`p-${at}`, 'shop');
    await scene.cluster.create(KIND.Pod, { ...pod, metadata: { ...metadata, labels } });
  }
  const began = Promise.withResolvers<void>();
  const cluster = new Proxy(scene.cluster.as(userOf('webhook')), {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      if (name !== 'patch') return method.bind(target);
      return async (of: { kind: string }, ...rest: unknown[]) => {
        if (of.kind === 'Pod') {
          began.resolve();
          await sleep(SLOW_MS);
        }
        return method.call(target, of, ...rest);
      };
    },
  }) as Cluster;
  const certificates = await ephemeralCertificate(['127.0.0.1']);
  const webhook = await startWebhook({ cluster, indicators, certificates, log, timeouts: { drain: 0 } });
  try {
    await webhook.ready;
    const miner = await scene.cluster.create(KIND.Pod, {
      ...podOf('miner', 'shop'),
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'web:1', command: ['serve'] }] },
    });
    await began.promise;
    const started = performance.now();
    await report({ ...scene, webhook }, 'node-1', [detectionIn(miner)]);
    const contained = async () => (await scene.cluster.list(KIND.Quarantine)).items[0];
    await eventually(contained, 'the Quarantine');
    expect(performance.now() - started).toBeLessThan((PODS * SLOW_MS) / 4);
  } finally {
    await webhook.close();
  }
});
