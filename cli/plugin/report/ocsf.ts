import { basename } from 'node:path/posix';
import type { Ancestor, Detection } from '../../../api/detection.ts';
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
        ...(spec.namespace !== '' && { namespace: spec.namespace }),
        labels: status?.nodes.map((node) => `node=${node}`),
      },
    ],
    evidences: [evidenceOf(detection)],
  };
}

function evidenceOf(detection: Detection): object {
  const { process, container, action, repeats } = detection;
  const where = container ? containerOf(container) : {};
  const data = { action, pod: container?.pod ?? null, repeats };
  // What was found in a manifest is no process.
  const found =
    process.pid === 0
      ? { ...where, data: { ...data, command: process.argv.join(' ') } }
      : { process: { ...processOf(detection), ...where }, data };
  return { ...found, ...destinationOf(detection) };
}

function processOf(detection: Detection): object {
  const { pid, exe, argv, uid, sha256, ancestors } = detection.process;
  const [parent] = ancestors;
  return {
    ...programOf({ pid, exe, argv }),
    user: { uid: String(uid) },
    ...(ancestors.length > 0 && { lineage: lineage(detection).map(({ exe: each }) => each) }),
    ...(basename(exe) !== '' && {
      file: {
        path: exe,
        name: basename(exe),
        type_id: 1,
        ...(sha256 && { hashes: [{ algorithm_id: 3, algorithm: 'SHA-256', value: sha256 }] }),
      },
    }),
    ...(parent && { parent_process: programOf(parent) }),
  };
}

function programOf({ pid, exe, argv }: Ancestor): object {
  return {
    pid,
    ...(basename(exe) !== '' && { name: basename(exe) }),
    ...(argv.length > 0 && { cmd_line: argv.join(' ') }),
  };
}

/** Nothing where neither an id nor a name is known, which OCSF wants one of. */
function containerOf({ id, name, image, podUid }: NonNullable<Detection['container']>): object {
  if (!id && !name) return {};
  return {
    container: {
      ...(id && { uid: id }),
      ...(name && { name }),
      ...(image && { image: { name: image, uid: image.split('@').at(-1) } }),
      ...(podUid && { pod_uuid: podUid }),
      orchestrator: 'Kubernetes',
    },
  };
}

function destinationOf({ evidence }: Detection): object {
  const [first] = (Array.isArray(evidence.destinations) ? evidence.destinations : []) as unknown[];
  const { address, port } = (first ?? {}) as { address?: unknown; port?: unknown };
  if (typeof address !== 'string' || typeof port !== 'number') return {};
  return { dst_endpoint: { ip: address, port } };
}
