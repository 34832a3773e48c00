import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';

/** How long a Denial is kept after the last attempt. */
export const DENIAL_DAYS = 7;

const PAGE = 500;

/** Deletes Denials that were last seen longer than `days` ago. Answers how many. */
export async function expireDenials(cluster: Cluster, now: Date, days = DENIAL_DAYS): Promise<number> {
  const oldest = now.getTime() - days * 86_400_000;
  let deleted = 0;
  let next: string | undefined;
  do {
    const page = await cluster.list(KIND.Denial, { limit: PAGE, continue: next });
    for (const { metadata, status } of page.items) {
      const { name = '', namespace, uid } = metadata;
      const seen = status?.lastSeen ?? metadata.creationTimestamp;
      if (seen === undefined || Date.parse(seen) >= oldest) continue;
      await cluster.delete(KIND.Denial, { name, namespace }, uid === undefined ? {} : { uid });
      deleted++;
    }
    next = page.continue;
  } while (next);
  return deleted;
}
