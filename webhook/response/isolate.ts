import { LABEL, QUARANTINE_NETWORK_POLICY } from '../../api/names.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import type { Effect } from './condition.ts';

/** Type of the condition that says that the NetworkPolicy is there. */
export const NETWORK_DENIED = 'NetworkDenied';

/**
 * Denies all traffic of the namespace, beside what the agents cut in the kernel: this one also keeps others out, where
 * the network plugin enforces policies. Policies that allow something keep allowing it, since policies add up.
 */
export async function isolate(quarantine: Quarantine, cluster: Cluster): Promise<Effect> {
  const { metadata, spec } = quarantine;
  const { namespace } = spec;
  const name = metadata.name ?? '';
  await cluster.apply(KIND.NetworkPolicy, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: QUARANTINE_NETWORK_POLICY, namespace, labels: { [LABEL.quarantine]: name } },
    // Nothing is allowed, in words: somebody may have made a policy of this name before.
    spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [], egress: [] },
  });
  return {
    type: NETWORK_DENIED,
    status: 'True',
    reason: 'PolicyApplied',
    message: `NetworkPolicy ${namespace}/${QUARANTINE_NETWORK_POLICY} denies everything that no other policy allows.`,
  };
}

/** Whether the policy is there, as the API server has it. */
export async function isIsolated({ spec }: Quarantine, cluster: Cluster): Promise<boolean> {
  const { items } = await cluster.list(KIND.NetworkPolicy, {
    namespace: spec.namespace,
    labelSelector: LABEL.quarantine,
  });
  return items.some(({ metadata }) => metadata.name === QUARANTINE_NETWORK_POLICY);
}

export async function rejoin(namespace: string, cluster: Cluster): Promise<void> {
  await cluster.delete(KIND.NetworkPolicy, { namespace, name: QUARANTINE_NETWORK_POLICY });
}
