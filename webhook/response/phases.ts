import type { TimelineEntry } from '../../api/incident.ts';
import { setCondition } from '../../api/object.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { CLOSED } from '../incident/belongs.ts';
import type { IncidentStatus } from '../incident/store.ts';
import { addTimeline } from '../incident/timeline.ts';

/** The phases that the response gives an incident; each leaves a later phase as it is. */
export function contained(status: IncidentStatus, { metadata, spec }: Quarantine, now: Date): IncidentStatus {
  if (status.phase !== 'Detected' && status.phase !== 'Confirmed') return status;
  const name = metadata.name ?? '';
  const what = spec.workload ? `${spec.workload.kind} ${spec.workload.name}` : 'the namespace';
  const message = `Quarantine ${name} contains ${what}; ${spec.bans.length} traits are banned.`;
  const next: IncidentStatus = {
    ...status,
    phase: 'Contained',
    quarantine: name,
    conditions: setCondition(
      status.conditions ?? [],
      { type: 'Contained', status: 'True', reason: 'Quarantined', message },
      now.toISOString(),
    ),
  };
  return addTimeline(next, [line('response', `contained/${name}`, message, now)]);
}

export function eradicated(status: IncidentStatus, now: Date): IncidentStatus {
  if (status.phase !== 'Contained') return status;
  const message = 'None of the affected pods exists any more.';
  return addTimeline({ ...status, phase: 'Eradicated' }, [line('response', 'eradicated', message, now)]);
}

export function closed(status: IncidentStatus, quarantine: string, now: Date): IncidentStatus {
  if (status.phase !== 'Contained' && status.phase !== 'Eradicated') return status;
  const message = `Quarantine ${quarantine} ended: its label and its bans are gone.`;
  const time = now.toISOString();
  const conditions = setCondition(
    setCondition(
      status.conditions ?? [],
      { type: CLOSED, status: 'True', reason: 'Released', message },
      time,
    ),
    { type: 'Contained', status: 'False', reason: 'Released', message },
    time,
  );
  const next: IncidentStatus = { ...status, phase: 'Closed', conditions };
  return addTimeline(next, [line('operator', `released/${quarantine}`, message, now)]);
}

/** Somebody who got past the guards took a part of the containment away. */
export function restored(status: IncidentStatus, what: string, now: Date): IncidentStatus {
  const message = `${what} had been taken away or changed, and was put back.`;
  return addTimeline(status, [line('response', `restored/${now.toISOString()}`, message, now)]);
}

/** People have said that this is no attack. It takes every further detection, so that the same alarm does not come again. */
export function dismissed(status: IncidentStatus, reason: string, now: Date): IncidentStatus {
  if (status.phase === 'Dismissed') return status;
  const message = `Dismissed: ${reason}`.slice(0, 1024);
  return addTimeline({ ...status, phase: 'Dismissed' }, [line('operator', 'dismissed', message, now)]);
}

function line(source: TimelineEntry['source'], reference: string, message: string, now: Date): TimelineEntry {
  return { time: now.toISOString(), source, reference, message };
}
