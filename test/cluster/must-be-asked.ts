import { eventually } from './eventually.ts';
import type { FaultScene } from './faults-scene.ts';
import { shell } from './stand-in.ts';

const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
const NAME = 'must-be-asked';

/**
 * Registers the webhook once more under another name, with failurePolicy Fail for pods of one namespace: where
 * Kubesentry's own entry lets a pod pass unseen because nobody answered, this one refuses it. Resolves once it is
 * asked; answers what takes it away.
 */
export async function mustBeAsked(scene: FaultScene, namespace: string): Promise<() => Promise<void>> {
  const { body } = await scene.api.ask<{ webhooks: { clientConfig: object }[] }>(
    'GET',
    `${CONFIGURATIONS}/kubesentry`,
  );
  await scene.api.ask('POST', CONFIGURATIONS, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: NAME },
    webhooks: [
      {
        name: `${NAME}.example.com`,
        clientConfig: body.webhooks[0]?.clientConfig,
        failurePolicy: 'Fail',
        sideEffects: 'NoneOnDryRun',
        admissionReviewVersions: ['v1'],
        timeoutSeconds: 3,
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
      },
    ],
  });
  // Both entries refuse a miner; the API server passes on whichever answered first.
  const miner = shell(namespace, 'miner', '/opt/xmrig -o stratum+tcp://pool.example.com:3333');
  await eventually(`refusal by ${NAME}`, async () => (await scene.refusal(miner))?.includes(NAME));
  return async () => {
    await scene.api.ask('DELETE', `${CONFIGURATIONS}/${NAME}`);
  };
}
