import type { Detection } from '../../../api/detection.ts';
import type { Severity } from '../../../api/finding.ts';
import { VERSION } from '../../../api/names.ts';
import type { Report } from '../../../api/report.ts';
import { lineage, titleOf } from './facts.ts';

/** severity_id of OCSF: 1 informational to 5 critical. */
const SEVERITY: Readonly<Record<Severity, number>> = { low: 2, medium: 3, high: 4, critical: 5 };

/** Its captions. */
const CAPTION: Readonly<Record<Severity, string>> = {
  low: 'Low',
  medium: 'Medium',
  high: 'High',
  critical: 'Critical',
};

/** status_id of a finding and its captions. */
const STATUS = { 1: 'New', 2: 'In Progress', 3: 'Suppressed', 4: 'Resolved' } as const;

/** ATT&CK: Resource Hijacking, Compute Hijacking. */
const ATTACK = {
  version: '16.1',
  tactic: { uid: 'TA0040', name: 'Impact' },
  technique: { uid: 'T1496', name: 'Resource Hijacking' },
  sub_technique: { uid: 'T1496.001', name: 'Compute Hijacking' },
};

/**
 * One Detection Finding (class 2004 of schema.ocsf.io 1.3.0, profile container) a detection, as JSON lines. Those of
 * one incident share `metadata.correlation_uid`.
 */
export function ocsf(report: Report): string {
  return (report.incident.status?.detections ?? [])
    .map((detection) => `${JSON.stringify(findingOf(detection, report))}\n`)
    .join('');
}

function findingOf(detection: Detection, report: Report): object {
  const { metadata, spec, status } = report.incident;
  const { process, container } = detection;
  const [parent] = process.ancestors;
  const ended = status?.phase === 'Closed' || status?.phase === 'Eradicated';
  const statusId = status?.phase === 'Dismissed' ? 3 : ended ? 4 : status?.phase === 'Contained' ? 2 : 1;
  return {
    activity_id: 1,
    activity_name: 'Create',
    category_uid: 2,
    category_name: 'Findings',
    class_uid: 2004,
    class_name: 'Detection Finding',
    type_uid: 200401,
    time: Date.parse(detection.time),
    severity_id: SEVERITY[detection.severity],
    severity: CAPTION[detection.severity],
    status_id: statusId,
    status: STATUS[statusId],
    is_alert: true,
    confidence_id: detection.confidence >= 0.9 ? 3 : detection.confidence >= 0.5 ? 2 : 1,
    confidence_score: Math.round(detection.confidence * 100),
    message: titleOf(report),
    metadata: {
      version: '1.3.0',
      profiles: ['container'],
      correlation_uid: metadata.name,
      product: { name: 'Kubesentry', vendor_name: 'Kubesentry', version: VERSION },
    },
    finding_info: {
      uid: detection.id,
      title: titleOf(report),
      desc: status?.reasons.join(' '),
      types: [detection.rule],
      first_seen_time: Date.parse(status?.firstSeen ?? detection.time),
      last_seen_time: Date.parse(status?.lastSeen ?? detection.time),
      attacks: [ATTACK],
    },
    resources: [
      {
        type: spec.workload.kind,
        name: spec.workload.name,
        namespace: spec.namespace,
        labels: status?.nodes.map((node) => `node=${node}`),
      },
    ],
    evidences: [
      {
        process: {
          pid: process.pid,
          name: process.exe.split('/').at(-1),
          cmd_line: process.argv.join(' '),
          user: { uid: String(process.uid) },
          ...(process.ancestors.length > 0 && { lineage: lineage(detection).map(({ exe }) => exe) }),
          file: {
            path: process.exe,
            name: process.exe.split('/').at(-1),
            type_id: 1,
            ...(process.sha256 && {
              hashes: [{ algorithm_id: 3, algorithm: 'SHA-256', value: process.sha256 }],
            }),
          },
          ...(parent && {
            parent_process: {
              pid: parent.pid,
              name: parent.exe.split('/').at(-1),
              cmd_line: parent.argv.join(' '),
            },
          }),
          ...(container && {
            container: {
              ...(container.id && { uid: container.id }),
              ...(container.name && { name: container.name }),
              ...(container.image && { image: { name: container.image } }),
              ...(container.podUid && { pod_uuid: container.podUid }),
              orchestrator: 'Kubernetes',
            },
          }),
        },
        ...destinationOf(detection),
        data: { action: detection.action, pod: container?.pod ?? null, repeats: detection.repeats },
      },
    ],
  };
}

function destinationOf({ evidence }: Detection): object {
  const [first] = (Array.isArray(evidence.destinations) ? evidence.destinations : []) as unknown[];
  const { address, port } = (first ?? {}) as { address?: unknown; port?: unknown };
  if (typeof address !== 'string' || typeof port !== 'number') return {};
  return { dst_endpoint: { ip: address, port } };
}
