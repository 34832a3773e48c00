import type { Incident, IncidentPhase } from '../../api/incident.ts';
import { setCondition } from '../../api/object.ts';
import type { IncidentStatus } from '../incident/store.ts';

/** Type of the condition that says of which phase everybody with an address has heard; its reason is the phase. */
const TOLD = 'Told';

/** Undefined while nobody has heard anything. */
export function toldPhase({ status }: Pick<Incident, 'status'>): IncidentPhase | undefined {
  return status?.conditions?.find(({ type }) => type === TOLD)?.reason as IncidentPhase | undefined;
}

export function withTold(status: IncidentStatus, phase: IncidentPhase, now: Date): IncidentStatus {
  const message = `Everybody who is told about incidents has taken that it is ${phase}.`;
  const told = { type: TOLD, status: 'True', reason: phase, message } as const;
  return { ...status, conditions: setCondition(status.conditions ?? [], told, now.toISOString()) };
}

/**
 * Whether somebody has to hear of it yet. What was over before anybody could be told, because there was no address, is
 * no news.
 */
export function isUntold(incident: Incident): boolean {
  const phase = incident.status?.phase;
  const told = toldPhase(incident);
  if (phase === undefined || phase === told) return false;
  return told !== undefined || (phase !== 'Closed' && phase !== 'Dismissed');
}
