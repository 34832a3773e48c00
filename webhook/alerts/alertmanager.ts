import type { Alert } from './alert.ts';

/** Alertmanager resolves what it does not hear of again; an incident lasts until people end it. */
const LASTS_MS = 7 * 24 * 60 * 60_000;

const OVER: ReadonlySet<string> = new Set(['Closed', 'Dismissed']);

/** Body of POST /api/v2/alerts (prometheus/alertmanager api/v2/openapi.yaml): the same labels are the same alert. */
export function alertmanagerPayload(alert: Alert): object[] {
  const end = OVER.has(alert.phase) ? Date.parse(alert.time) : Date.parse(alert.time) + LASTS_MS;
  return [
    {
      labels: {
        alertname: 'KubesentryCryptomining',
        incident: alert.incident,
        namespace: alert.namespace,
        workload: `${alert.workload.kind}/${alert.workload.name}`,
        severity: alert.severity,
      },
      annotations: {
        summary: alert.summary,
        description: `Phase ${alert.phase}, rule ${alert.rule}, pods ${alert.pods.join(', ') || 'unknown'}.`,
        runbook: alert.remedy,
      },
      startsAt: alert.since,
      endsAt: new Date(end).toISOString(),
    },
  ];
}
