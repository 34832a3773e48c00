import type { Cluster } from '../../kube/cluster.ts';
import { everyObject } from '../../kube/every-object.ts';
import { KIND } from '../../kube/kind.ts';

/** How long a Denial is kept after the last attempt. */
const DENIAL_DAYS = 7;

/** Deletes Denials that were last seen longer than `days` ago. Answers how many. */
export async function expireDenials(cluster: Cluster, now: Date, days = DENIAL_DAYS): Promise<number> {
  const oldest = now.getTime() - days * 86_400_000;
  let deleted = 0;
  for await (const { metadata, status } of everyObject(cluster, KIND.Denial)) {
    const { name = '', namespace, uid } = metadata;
    const seen = status?.lastSeen ?? metadata.creationTimestamp;
    if (seen === undefined || Date.parse(seen) >= oldest) continue;
    await cluster.delete(KIND.Denial, { name, namespace }, uid === undefined ? {} : { uid });
    deleted++;
  }
  return deleted;
}
