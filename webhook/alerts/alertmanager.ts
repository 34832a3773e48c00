import type { Alert } from './alert.ts';

/** Alertmanager resolves what it does not hear of again; an incident lasts until people end it. */
const LASTS_MS = 7 * 24 * 60 * 60_000;

const OVER: ReadonlySet<string> = new Set(['Closed', 'Dismissed']);

/**
 * Body of POST /api/v2/alerts (prometheus/alertmanager api/v2/openapi.yaml). The same labels are the same alert, so none
 * of them follows what is found out meanwhile. A suspicion is an alert of its own, a warning, which ends when the incident
 * is sure.
 */
export function alertmanagerPayload(alert: Alert): object[] {
  const isOver = OVER.has(alert.phase);
  const wasSuspicion = alert.before.includes('Detected');
  const isSuspicion = alert.phase === 'Detected' || (isOver && alert.before.at(-1) === 'Detected');
  if (isSuspicion) return [alertIn('warning', alert, isOver)];
  return [alertIn('critical', alert, isOver), ...(wasSuspicion ? [alertIn('warning', alert, true)] : [])];
}

function alertIn(severity: 'warning' | 'critical', alert: Alert, isOver: boolean): object {
  const end = isOver ? Date.parse(alert.time) : Date.parse(alert.time) + LASTS_MS;
  return {
    labels: {
      alertname: 'KubesentryCryptomining',
      incident: alert.incident,
      namespace: alert.namespace,
      workload: `${alert.workload.kind}/${alert.workload.name}`,
      severity,
    },
    annotations: {
      summary: alert.summary,
      description: `Phase ${alert.phase}, rule ${alert.rule}, pods ${alert.pods.join(', ') || 'unknown'}.`,
      runbook: alert.remedy,
    },
    startsAt: alert.since,
    endsAt: new Date(end).toISOString(),
  };
}
