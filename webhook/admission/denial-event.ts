import type { Denial } from '../../api/denial.ts';
import type { KubeObject, OwnerReference } from '../../api/object.ts';
import { eventOf } from '../event.ts';

/**
 * The Event that tells whoever looks at a workload why its pods do not come. Its name follows from the Denial: repeats
 * move its count, since all other fields of an Event are immutable.
 */
export function denialEvent(denial: Denial, owner: OwnerReference, message: string): KubeObject {
  const { name = '', namespace } = denial.metadata;
  const { count, firstSeen, lastSeen } = denial.status ?? { count: 1, firstSeen: '', lastSeen: '' };
  return eventOf({
    name,
    namespace,
    type: 'Warning',
    reason: 'AdmissionDenied',
    action: denial.spec.operation === 'UPDATE' ? 'Update' : 'Create',
    note: message,
    time: firstSeen,
    ...(count > 1 ? { series: { count, last: lastSeen } } : {}),
    regarding: { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.name, uid: owner.uid },
  });
}
