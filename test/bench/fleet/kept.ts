import { createHash } from 'node:crypto';
import type { Incident } from '../../../api/incident.ts';
import { LABEL, SYSTEM_NAMESPACE } from '../../../api/names.ts';
import { everyObject } from '../../../kube/every-object.ts';
import type { HttpCluster } from '../../../kube/http/cluster.ts';
import { KIND } from '../../../kube/kind.ts';
import { patiently } from './patiently.ts';

const PATIENCE_MS = 300_000;

/** Resolves with milliseconds once no acknowledged detection waits for its incident any more. */
export async function journalEmptied(admin: HttpCluster): Promise<number> {
  const began = performance.now();
  const waiting = { namespace: SYSTEM_NAMESPACE, labelSelector: LABEL.journal };
  while ((await patiently(() => admin.list(KIND.ConfigMap, waiting))).items.length > 0) {
    if (performance.now() - began > PATIENCE_MS) throw new Error('The journal is not emptied.');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return Math.round(performance.now() - began);
}

/** Of acknowledged detections: how many an incident holds, how many it counts as left out for size, how many are lost. */
export async function whereTheyAre(
  admin: HttpCluster,
  acknowledged: ReadonlyMap<string, readonly string[]>,
): Promise<{ held: number; counted: number; lost: number }> {
  const incidents = await patiently(async () => {
    const found = new Map<string, Incident>();
    for await (const incident of everyObject(admin, KIND.Incident))
      found.set(incident.spec.namespace, incident);
    return found;
  });
  const sum = { held: 0, counted: 0, lost: 0 };
  for (const [namespace, ids] of acknowledged) {
    const status = incidents.get(namespace)?.status;
    const held = new Set(status?.detections.map(({ id }) => id));
    const marks = new Set(status?.omitted.marks?.detections.match(/.{8}/g));
    for (const id of ids) {
      if (held.has(id)) sum.held++;
      // As webhook/incident/bounded.ts marks what found no room.
      else if (marks.has(createHash('sha256').update(id).digest('hex').slice(0, 8))) sum.counted++;
      else sum.lost++;
    }
  }
  return sum;
}
