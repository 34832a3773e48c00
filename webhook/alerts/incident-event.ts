import type { KubeObject } from '../../api/object.ts';
import { oneLine } from '../admission/message.ts';
import type { Alert } from './alert.ts';

/** events.k8s.io/v1 bounds a note to so many bytes. */
const NOTE = 1000;

/** Events about what is in no namespace live here (k8s.io/client-go/tools/record). */
const CLUSTER_EVENTS = 'default';

/** Tells whoever looks at the workload; its name follows from incident and phase, so that it is told once. */
export function incidentEvent(alert: Alert): KubeObject {
  const { incident, phase, namespace, workload, summary, remedy, time } = alert;
  const inside = namespace || CLUSTER_EVENTS;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `kubesentry.${incident}.${phase.toLowerCase()}`, namespace: inside },
    type: phase === 'Closed' || phase === 'Dismissed' || phase === 'Eradicated' ? 'Normal' : 'Warning',
    reason: `Cryptomining${phase}`,
    action: 'Respond',
    note: oneLine(`${summary} To do: ${remedy}`, NOTE),
    eventTime: time.replace(/\.(\d{3})Z$/, '.$1000Z'),
    reportingController: 'kubesentry.io/webhook',
    reportingInstance: 'kubesentry-webhook',
    regarding: { kind: workload.kind, name: workload.name, ...(namespace && { namespace }) },
  };
}
