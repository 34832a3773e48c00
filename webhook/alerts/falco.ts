import type { Severity } from '../../api/finding.ts';
import type { Alert } from './alert.ts';

/** Priorities of Falco (falco.org/docs/rules/basic-elements). */
const PRIORITY: Readonly<Record<Severity, string>> = {
  low: 'Notice',
  medium: 'Warning',
  high: 'Error',
  critical: 'Critical',
};

/** As Falco's http_output sends it, which falcosidekick and everything behind it take (types/types.go, FalcoPayload). */
export function falcoPayload(alert: Alert): object {
  const { process, pods, nodes } = alert;
  return {
    uuid: `${alert.uid}-${alert.phase}`,
    output: `${alert.summary} To do: ${alert.remedy}`,
    priority: PRIORITY[alert.severity],
    rule: `Kubesentry: ${alert.rule}`,
    source: 'kubesentry',
    time: alert.time,
    hostname: nodes[0] ?? '',
    tags: ['cryptomining', 'mitre_impact', 'T1496.001', alert.phase.toLowerCase()],
    output_fields: {
      'k8s.ns.name': alert.namespace,
      'k8s.pod.name': pods[0]?.split('/').at(-1) ?? '',
      'kubesentry.incident': alert.incident,
      'kubesentry.phase': alert.phase,
      'kubesentry.confidence': alert.confidence,
      'kubesentry.workload': `${alert.workload.kind}/${alert.workload.name}`,
      'kubesentry.pods': pods.join(','),
      'kubesentry.nodes': nodes.join(','),
      ...(process && {
        'proc.exepath': process.exe,
        'proc.cmdline': process.argv.join(' '),
        'proc.hash.sha256': process.sha256 ?? '',
      }),
      ...(alert.image && { 'container.image.repository': alert.image }),
    },
  };
}
