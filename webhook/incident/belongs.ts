import type { Detection } from '../../api/detection.ts';
import type { Incident } from '../../api/incident.ts';
import { compareVersions } from './correlate.ts';
import type { Subject } from './subject.ts';
import { trim } from './trim.ts';

/** Type of the condition that says since when an incident is closed. */
export const CLOSED = 'Closed';

/** Agents fold repeats and report the count a while later: that much after the end is still about before it. */
const GRACE_MS = 120_000;

/**
 * Whether an incident of that name is about this subject. Whoever names workloads can find two whose incidents would have
 * the same name, and must not hide one behind the other.
 */
export function isAboutSubject(incident: Incident | undefined, { namespace, workload }: Subject): boolean {
  if (!incident) return true;
  const { kind, name } = incident.spec.workload;
  return incident.spec.namespace === namespace && kind === workload.kind && name === workload.name;
}

/**
 * Whether a detection is part of this incident. A closed one takes what happened before it was closed; what happens
 * afterwards is a new incident, also when it is the same process again. A dismissed one takes everything: people have
 * said that this is no attack.
 */
export function belongsTo(incident: Incident | undefined, detection: Detection, now: Date): boolean {
  if (incident?.status?.phase !== 'Closed') return true;
  const { conditions, detections, lastSeen } = incident.status;
  const closed = Date.parse(conditions?.find(({ type }) => type === CLOSED)?.lastTransitionTime ?? lastSeen);
  const known = detections.find(({ id }) => id === detection.id);
  if (!known) return Date.parse(detection.time) <= closed;
  return now.getTime() <= closed + GRACE_MS || compareVersions(trim(detection), known) <= 0;
}
