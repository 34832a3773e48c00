import { CA_CONFIG_MAP, SYSTEM_NAMESPACE } from '../api/names.ts';
import type { KubeObject } from '../api/object.ts';
import type { Cluster } from '../kube/cluster.ts';
import { KIND } from '../kube/kind.ts';
import { type Address, webhookConfiguration } from './configuration.ts';

/** Tells the agents and, where an address is given, the API server whom to trust. `caBundle` is PEM. */
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
  await cluster.apply(KIND.ValidatingWebhookConfiguration, webhookConfiguration(address, caBundle));
}
