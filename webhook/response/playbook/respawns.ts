import type { KubeObject } from '../../../api/object.ts';
import type { Cluster } from '../../../kube/cluster.ts';
import { everyObject } from '../../../kube/every-object.ts';
import { KIND } from '../../../kube/kind.ts';

/** events.k8s.io/v1, as far as it is read here. */
interface FailedCreate extends KubeObject {
  reason?: string;
  note?: string;
  regarding?: { kind?: string; name?: string };
  series?: { count?: number };
  deprecatedCount?: number;
}

/** A namespace may hold many thousand Events; the count is a hint, and not worth more of the API server's time. */
const MOST_EVENTS = 2_000;

/**
 * How often owners tried to make pods again and were refused by a quarantine. Where the API server's own policy
 * refuses, no webhook hears of it: what is left are the Events of the owners, which repeat by a count.
 */
export async function refusedRespawns(
  owners: readonly { kind: string; name: string }[],
  namespace: string,
  cluster: Cluster,
): Promise<number> {
  const names = new Set(owners.map(({ kind, name }) => `${kind}/${name}`));
  if (names.size === 0) return 0;
  let attempts = 0;
  let looked = 0;
  for await (const event of everyObject<FailedCreate>(cluster, KIND.Event as never, namespace)) {
    if (++looked > MOST_EVENTS) break;
    const { reason, note = '', regarding, series, deprecatedCount } = event;
    if (reason !== 'FailedCreate' || !note.includes('is in quarantine')) continue;
    if (!names.has(`${regarding?.kind}/${regarding?.name}`)) continue;
    attempts += Math.max(series?.count ?? 0, deprecatedCount ?? 0, 1);
  }
  return attempts;
}
