import { createHash } from 'node:crypto';
import type { Detection, WorkloadRef } from '../../api/detection.ts';
import type { Incident } from '../../api/incident.ts';

/** What an incident is about: one workload, or a node for processes outside of pods. */
export type Subject = Incident['spec'];

export function subjectOf({ container }: Detection, node: string): Subject {
  if (!container?.namespace) return { namespace: '', workload: { kind: 'Node', name: node } };
  const workload: WorkloadRef = container.workload ?? { kind: 'Pod', name: container.pod ?? 'unknown' };
  return { namespace: container.namespace, workload };
}

/** The same for the same subject alone; names of incidents may meet. */
export function subjectKey({ namespace, workload }: Subject): string {
  return JSON.stringify([namespace, workload.kind, workload.name]);
}

/** Label values are bounded to 63, and the name of an incident becomes one. */
const NAME_LENGTH = 63;

/**
 * The name that every replica gives to the incident of a subject: readable, with a hash against collisions. `round`
 * counts from 1: an incident that was closed is followed by another one.
 */
export function incidentName(subject: Subject, round: number): string {
  const { namespace, workload } = subject;
  const hash = createHash('sha256').update(subjectKey(subject)).digest('hex').slice(0, 6);
  const end = round === 1 ? `-${hash}` : `-${hash}-${round}`;
  const start = [namespace, workload.name]
    .filter(Boolean)
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, NAME_LENGTH - end.length)
    .replace(/-+$/, '');
  return start === '' ? `incident${end}` : `${start}${end}`;
}
