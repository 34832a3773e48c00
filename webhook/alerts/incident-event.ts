import type { KubeObject } from '../../api/object.ts';
import { eventOf } from '../event.ts';
import type { Alert } from './alert.ts';

/** Tells whoever looks at the workload; its name follows from incident and phase, so that it is told once. */
export function incidentEvent(alert: Alert): KubeObject {
  const { incident, phase, namespace, workload, summary, remedy, time } = alert;
  return eventOf({
    name: `${incident}.${phase.toLowerCase()}`,
    namespace,
    type: phase === 'Closed' || phase === 'Dismissed' || phase === 'Eradicated' ? 'Normal' : 'Warning',
    reason: `Cryptomining${phase}`,
    action: 'Respond',
    note: `${summary} To do: ${remedy}`,
    time,
    regarding: { kind: workload.kind, name: workload.name },
  });
}
