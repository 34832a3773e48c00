import type { Denial } from '../../api/denial.ts';
import type { KubeObject, OwnerReference } from '../../api/object.ts';
import { oneLine } from './message.ts';

/** events.k8s.io/v1 bounds a note to so many bytes. */
const NOTE = 1000;

/**
 * The Event that tells whoever looks at a workload why its pods do not come. Its name follows from the Denial: repeats
 * move its count, since all other fields of an Event are immutable.
 */
export function denialEvent(denial: Denial, owner: OwnerReference, message: string): KubeObject {
  const { name, namespace } = denial.metadata;
  const { count, firstSeen, lastSeen } = denial.status ?? { count: 1, firstSeen: '', lastSeen: '' };
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `kubesentry.${name}`, ...(namespace === undefined ? {} : { namespace }) },
    type: 'Warning',
    reason: 'AdmissionDenied',
    action: denial.spec.operation === 'UPDATE' ? 'Update' : 'Create',
    note: oneLine(message, NOTE),
    eventTime: microTime(firstSeen),
    ...(count > 1 ? { series: { count, lastObservedTime: microTime(lastSeen) } } : {}),
    reportingController: 'kubesentry.io/webhook',
    reportingInstance: 'kubesentry-webhook',
    regarding: {
      apiVersion: owner.apiVersion,
      kind: owner.kind,
      name: owner.name,
      uid: owner.uid,
      namespace,
    },
  };
}

/** metav1.MicroTime has six digits. */
function microTime(time: string): string {
  return time.replace(/\.(\d{3})Z$/, '.$1000Z');
}
