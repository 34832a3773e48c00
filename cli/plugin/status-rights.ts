import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { type Finding, ifAllowed, ok, some, unjudged, wrong } from './status-check.ts';

/** As the manifest calls them, in the cluster and in our namespace. */
const NAMES = ['kubesentry-webhook', 'kubesentry-agent'];

/** Replicas that have watched before go on without their rights, and know less and less. */
export async function rights(cluster: Cluster): Promise<Finding> {
  const missing: string[] = [];
  for (const name of NAMES) {
    const inCluster = await ifAllowed(cluster.get(KIND.ClusterRoleBinding, { name }));
    const inOurs = await ifAllowed(cluster.get(KIND.RoleBinding, { namespace: SYSTEM_NAMESPACE, name }));
    if (inCluster === 'not allowed' || inOurs === 'not allowed')
      return unjudged('not seen', 'you may not read role bindings');
    if (!inCluster) missing.push(`ClusterRoleBinding ${name}`);
    if (!inOurs) missing.push(`RoleBinding ${SYSTEM_NAMESPACE}/${name}`);
  }
  return missing.length === 0
    ? ok('those of the manifest are bound')
    : wrong(`not there: ${some(missing)}: kubectl apply -f install.yaml`);
}
