import type { KubeObject } from '../api/object.ts';
import type { Cluster } from './cluster.ts';
import { KIND, type Kind } from './kind.ts';

/** What holds pods, and pods. Owners first, so that the first thing that is named is the one to change. */
export const WORKLOAD_KINDS: readonly Kind[] = [
  KIND.DaemonSet,
  KIND.Deployment,
  KIND.StatefulSet,
  KIND.CronJob,
  KIND.Job,
  KIND.ReplicaSet,
  KIND.ReplicationController,
  KIND.Pod,
];

const PAGE = 250;

const OWNERS: ReadonlySet<string> = new Set(WORKLOAD_KINDS.map(({ kind }) => kind));

/**
 * Every object of these kinds, page by page, so that a large cluster is never in memory at once. What one of the other
 * kinds controls is left out: its owner says the same. Raises what the cluster raises.
 */
export async function* objectsOf(
  cluster: Pick<Cluster, 'list'>,
  kind: Kind,
  namespace?: string,
): AsyncGenerator<KubeObject> {
  let next: string | undefined;
  do {
    const page = await cluster.list(kind, { namespace, limit: PAGE, continue: next });
    for (const object of page.items) if (!isControlled(object)) yield object;
    next = page.continue;
  } while (next);
}

function isControlled({ metadata }: KubeObject): boolean {
  return (
    metadata.ownerReferences?.some(({ controller, kind }) => controller === true && OWNERS.has(kind)) ?? false
  );
}
