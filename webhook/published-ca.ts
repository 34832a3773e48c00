import { SYSTEM_NAMESPACE } from '../api/names.ts';
import type { Cluster } from '../kube/cluster.ts';
import { KIND } from '../kube/kind.ts';

/** The ConfigMap that the agents mount to know whom to trust. */
const CA_CONFIG_MAP = 'kubesentry-ca';

/** Puts the CA bundle, PEM, where the agents find it as `ca.crt`. */
export async function publishCa(cluster: Cluster, caBundle: string): Promise<void> {
  await cluster.apply(KIND.ConfigMap, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: CA_CONFIG_MAP, namespace: SYSTEM_NAMESPACE },
    data: { 'ca.crt': caBundle },
  });
}
