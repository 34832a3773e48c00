import { KubesentryError } from '../api/errors.ts';
import { CA_CONFIG_MAP, SYSTEM_NAMESPACE } from '../api/names.ts';
import type { KubeObject } from '../api/object.ts';
import type { Cluster } from '../kube/cluster.ts';
import { KIND } from '../kube/kind.ts';
import { type Address, CONFIGURATION_NAME, webhookConfiguration } from './configuration.ts';

interface Webhook {
  name: string;
  clientConfig: { caBundle?: string };
}

/**
 * Tells the agents and, where an address is given, the API server whom to trust. `caBundle` is PEM. Behind a Service
 * the configuration is the manifest's: only the CA is put in, so that the next version of the manifest meets nobody who
 * owns the same fields; and where somebody took the configuration away, it stays away.
 */
export async function publish(
  cluster: Cluster,
  caBundle: string,
  address: Address | undefined,
): Promise<void> {
  const configMap: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: CA_CONFIG_MAP, namespace: SYSTEM_NAMESPACE },
    data: { 'ca.crt': caBundle },
  };
  await cluster.apply(KIND.ConfigMap, configMap);
  if (!address) return;
  const whole = webhookConfiguration(address, caBundle);
  const apply = (object: KubeObject) => cluster.apply(KIND.ValidatingWebhookConfiguration, object);
  if ('url' in address) await apply(whole);
  else if (await registration(cluster))
    await apply(onlyCa(whole)).catch((error: unknown) => applyWhole(error, () => apply(whole)));
}

/** Whether that is what they were told; also where there is no configuration to tell it in. */
export async function isPublished(
  cluster: Cluster,
  caBundle: string,
  address: Address | undefined,
): Promise<boolean> {
  const key = { name: CA_CONFIG_MAP, namespace: SYSTEM_NAMESPACE };
  const { data } = ((await cluster.get(KIND.ConfigMap, key)) ?? {}) as { data?: Record<string, string> };
  if (data?.['ca.crt'] !== caBundle) return false;
  const found = address && (await registration(cluster));
  if (!found) return true;
  const wanted = Buffer.from(caBundle).toString('base64');
  return (found.webhooks as Webhook[]).every(({ clientConfig }) => clientConfig.caBundle === wanted);
}

const registration = (cluster: Cluster) =>
  cluster.get(KIND.ValidatingWebhookConfiguration, { name: CONFIGURATION_NAME });

/** An entry that an earlier manifest did not have is nothing with a CA alone. */
async function applyWhole(error: unknown, apply: () => Promise<unknown>): Promise<void> {
  if (!(error instanceof KubesentryError && error.code === 'KUBE_REFUSED')) throw error;
  await apply();
}

function onlyCa({ apiVersion, kind, metadata: { name = '' }, webhooks }: KubeObject): KubeObject {
  const entries = (webhooks as Webhook[]).map((webhook) => ({
    name: webhook.name,
    clientConfig: { caBundle: webhook.clientConfig.caBundle },
  }));
  return { apiVersion, kind, metadata: { name }, webhooks: entries };
}
