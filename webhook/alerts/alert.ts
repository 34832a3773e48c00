import type { Severity } from '../../api/finding.ts';
import type { Incident, IncidentPhase } from '../../api/incident.ts';

/** What somebody on call is told: an incident has begun or has come into another phase. */
export interface Alert {
  incident: string;
  uid: string;
  phase: IncidentPhase;
  /** Phases that were told before, as far as is known. */
  before: readonly IncidentPhase[];
  namespace: string;
  workload: { kind: string; name: string };
  rule: string;
  severity: Severity;
  confidence: number;
  /** When the phase was seen, RFC 3339. */
  time: string;
  /** When the incident began, RFC 3339. */
  since: string;
  /** One sentence: what, where, how sure. */
  summary: string;
  /** What to do now, in one line. */
  remedy: string;
  pods: readonly string[];
  nodes: readonly string[];
  process?: { exe: string; argv: readonly string[]; sha256: string | null };
  image?: string;
}

const SAID: Readonly<Record<IncidentPhase, string>> = {
  Detected: 'may be mining',
  Confirmed: 'mines',
  Contained: 'mines and is contained',
  Eradicated: 'mined; nothing of it runs any more',
  Closed: 'mined; its quarantine has ended',
  Dismissed: 'was said to be no miner',
};

/** Undefined while nothing is known. Pure. */
export function alertOf(
  { metadata, spec, status }: Incident,
  before: readonly IncidentPhase[],
  now: Date,
): Alert | undefined {
  const [best] = status?.detections ?? [];
  if (!status || !best) return undefined;
  const { namespace, workload } = spec;
  const name = metadata.name ?? '';
  const where = `${workload.kind} ${namespace === '' ? '' : `${namespace}/`}${workload.name}`;
  return {
    incident: name,
    uid: metadata.uid ?? name,
    phase: status.phase,
    before,
    namespace,
    workload,
    rule: best.rule,
    severity: best.severity,
    confidence: status.confidence,
    time: now.toISOString(),
    since: status.firstSeen,
    summary: `${where} ${SAID[status.phase]} (confidence ${status.confidence}): ${status.reasons[0] ?? best.rule}.`,
    remedy: `kubectl kubesentry incidents ${name}`,
    pods: status.pods.slice(0, 16),
    nodes: status.nodes.slice(0, 16),
    process: { exe: best.process.exe, argv: best.process.argv, sha256: best.process.sha256 },
    ...(best.container?.image && { image: best.container.image }),
  };
}
