import type { KubeObject } from '../api/object.ts';
import type { Cluster } from './cluster.ts';
import { everyObject } from './every-object.ts';
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

const OWNERS: ReadonlySet<string> = new Set(WORKLOAD_KINDS.map(({ kind }) => kind));

/** Every object of a kind but what one of the other kinds controls: its owner says the same. */
export async function* objectsOf(
  cluster: Pick<Cluster, 'list'>,
  kind: Kind,
  namespace?: string,
): AsyncGenerator<KubeObject> {
  for await (const object of everyObject(cluster, kind, namespace)) {
    if (!isControlled(object)) yield object;
  }
}

function isControlled({ metadata }: KubeObject): boolean {
  return (
    metadata.ownerReferences?.some(({ controller, kind }) => controller === true && OWNERS.has(kind)) ?? false
  );
}
