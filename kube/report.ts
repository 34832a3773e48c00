import type { Denial } from '../api/denial.ts';
import type { Incident } from '../api/incident.ts';
import { REPORT_DENIALS, type Report } from '../api/report.ts';
import type { Cluster } from './cluster.ts';
import { everyObject } from './every-object.ts';
import { KIND } from './kind.ts';
import { withoutManagedFields } from './managed-fields.ts';

/** Puts together what the API server knows of an incident. Raises what the cluster raises. */
export async function reportOn(
  cluster: Pick<Cluster, 'get' | 'list'>,
  incident: Incident,
  now: Date,
): Promise<Report> {
  const name = incident.metadata.name ?? '';
  const quarantine = await cluster.get(KIND.Quarantine, { name: incident.status?.quarantine ?? name });
  const denials: Denial[] = [];
  for await (const denial of everyObject(cluster, KIND.Denial)) {
    if (denial.spec.incident === name) denials.push(denial);
  }
  denials.sort((a, b) => (lastSeen(a) < lastSeen(b) ? 1 : -1));
  const leftOut = denials.length - REPORT_DENIALS;
  return {
    generated: now.toISOString(),
    incident: withoutManagedFields(incident),
    ...(quarantine && { quarantine: withoutManagedFields(quarantine) }),
    denials: denials.slice(0, REPORT_DENIALS).map(withoutManagedFields),
    ...(leftOut > 0 && { denialsLeftOut: leftOut }),
  };
}

function lastSeen({ status, metadata }: Denial): string {
  return status?.lastSeen ?? metadata.creationTimestamp ?? '';
}
