import { KubesentryError } from '../api/errors.ts';
import type { Cluster } from '../kube/cluster.ts';
import { connectCluster } from '../kube/http/connect.ts';
import { KIND, type Kind } from '../kube/kind.ts';
import { objectsOf, WORKLOAD_KINDS } from '../kube/workloads.ts';
import type { Resource } from './resources.ts';

export interface ClusterOptions {
  namespace?: string;
  kubeconfig?: string;
  context?: string;
}

/** Miners keep their configuration in ConfigMaps. */
const KINDS: readonly Kind[] = [...WORKLOAD_KINDS, KIND.ConfigMap];

/** What exists in a cluster, read only. Raises KUBE_UNREACHABLE; what may not be read comes back as an error. */
export async function resourcesIn(
  options: ClusterOptions,
): Promise<{ resources: Resource[]; errors: KubesentryError[] }> {
  const cluster = await connectCluster(options);
  try {
    return await readAll(cluster, options.namespace);
  } finally {
    await cluster.close();
  }
}

export async function readAll(
  cluster: Pick<Cluster, 'list'>,
  namespace: string | undefined,
): Promise<{ resources: Resource[]; errors: KubesentryError[] }> {
  const resources: Resource[] = [];
  const errors: KubesentryError[] = [];
  for (const kind of KINDS) {
    try {
      for await (const object of objectsOf(cluster, kind, namespace))
        resources.push({ source: 'cluster', object });
    } catch (error) {
      if (!(error instanceof KubesentryError) || error.code === 'KUBE_UNREACHABLE') throw error;
      errors.push(new KubesentryError('INPUT_UNREADABLE', `${kind.plural} cannot be read: ${error.message}`));
    }
  }
  return { resources, errors };
}
