import type { Action, Detection } from '../../api/detection.ts';
import type { Ban, Facet, Fingerprint } from '../../api/fingerprint.ts';
import { INCIDENT_BOUNDS, type Incident } from '../../api/incident.ts';
import { API_VERSION } from '../../api/names.ts';
import { leaveOut } from './bounded.ts';
import { confidenceOf } from './confidence.ts';
import type { Subject } from './subject.ts';
import { NO_MARKS, withDetections } from './timeline.ts';
import { trim } from './trim.ts';

/** A detection and what is known beside it. */
export interface Seen {
  detection: Detection;
  /** Empty when no node saw it. */
  node: string;
  /** Traits that the detection shows. */
  traits: Fingerprint;
}

/** What an incident is about. */
export interface CorrelationFacts {
  /** Name of the incident. */
  name: string;
  subject: Subject;
  /** From which confidence on the incident is confirmed. */
  confirmFrom: number;
}

type Status = NonNullable<Incident['status']>;

/**
 * Adds detections to an incident, or begins one with them. Pure, commutative and idempotent: the same detections in
 * any order, one by one or together, and however often, give the same object. Bounded: what finds no room is counted.
 * `seen` must not be empty.
 */
export function correlate(
  incident: Incident | undefined,
  seen: readonly Seen[],
  facts: CorrelationFacts,
): Incident {
  const before = incident?.status;
  const trimmed = seen.map(({ detection }) => trim(detection));
  const detections = keepDetections(before?.detections ?? [], trimmed);
  const { confidence, reasons } = confidenceOf(detections);
  const allPods = [...(before?.pods ?? []), ...trimmed.flatMap(podOf)];
  const pods = smallest(allPods, INCIDENT_BOUNDS.pods);
  const told = seen.flatMap(({ node }) => (node === '' ? [] : [node]));
  const allNodes = [...(before?.nodes ?? []), ...told];
  const nodes = smallest(allNodes, INCIDENT_BOUNDS.nodes);
  const allTraits = traitsIn(before?.fingerprint ?? [], seen, facts);
  const fingerprint = allTraits.slice(0, INCIDENT_BOUNDS.fingerprint);
  const times = trimmed.map(({ time }) => time);
  const ids = (list: readonly Detection[]) => list.map(({ id }) => id);
  const marks = { ...NO_MARKS, ...before?.omitted.marks };
  const leftOut = {
    detections: leaveOut(marks.detections, ids([...(before?.detections ?? []), ...trimmed]), ids(detections)),
    pods: leaveOut(marks.pods, allPods, pods),
    timeline: { marks: marks.timeline, count: before?.omitted.timeline ?? 0 },
    nodes: leaveOut(marks.nodes, allNodes, nodes),
    fingerprint: leaveOut(marks.fingerprint, allTraits.map(keyOf), fingerprint.map(keyOf)),
  };
  const status: Status = {
    ...before,
    phase: phaseOf(before?.phase, confidence, facts.confirmFrom),
    confidence,
    reasons: reasons.slice(0, INCIDENT_BOUNDS.reasons),
    firstSeen: times.reduce(earlier, before?.firstSeen ?? times[0] ?? ''),
    lastSeen: times.reduce(later, before?.lastSeen ?? ''),
    detections,
    pods,
    nodes,
    fingerprint,
    timeline: withDetections(before?.timeline ?? [], detections),
    omitted: {
      detections: leftOut.detections.count,
      pods: leftOut.pods.count,
      timeline: leftOut.timeline.count,
      nodes: leftOut.nodes.count,
      fingerprint: leftOut.fingerprint.count,
      marks: {
        detections: leftOut.detections.marks,
        pods: leftOut.pods.marks,
        timeline: leftOut.timeline.marks,
        nodes: leftOut.nodes.marks,
        fingerprint: leftOut.fingerprint.marks,
      },
    },
  };
  return incident ? { ...incident, status } : begin(facts, status);
}

function begin({ name, subject }: CorrelationFacts, status: Status): Incident {
  return { apiVersion: API_VERSION, kind: 'Incident', metadata: { name }, spec: subject, status };
}

/** The most confident ones. A version of a detection that says more replaces the one that says less. */
function keepDetections(before: readonly Detection[], more: readonly Detection[]): Detection[] {
  const best = new Map(before.map((detection) => [detection.id, detection]));
  for (const next of more) {
    const known = best.get(next.id);
    if (known === undefined || compareVersions(next, known) > 0) best.set(next.id, next);
  }
  return [...best.values()]
    .sort((a, b) => b.confidence - a.confidence || (a.id < b.id ? -1 : 1))
    .slice(0, INCIDENT_BOUNDS.detections);
}

const STRENGTH: Record<Action, number> = { none: 0, refused: 1, dropped: 2, frozen: 3, killed: 4 };

/** Confidence first: by it detections are kept or left out, so it must never fall. The agent only ever adds. */
export function compareVersions(a: Detection, b: Detection): number {
  const text = (detection: Detection) => JSON.stringify(detection);
  return (
    a.confidence - b.confidence ||
    STRENGTH[a.action] - STRENGTH[b.action] ||
    a.repeats - b.repeats ||
    Number(a.process.sha256 !== null) - Number(b.process.sha256 !== null) ||
    text(a).length - text(b).length ||
    (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0)
  );
}

function traitsIn(before: readonly Ban[], seen: readonly Seen[], { subject }: CorrelationFacts): Ban[] {
  const { namespace, workload } = subject;
  const reason = `Part of the attack on ${workload.kind} ${namespace === '' ? '' : `${namespace}/`}${workload.name}.`;
  const traits = seen.flatMap((each) => each.traits.map((trait) => ({ ...trait, reason })));
  const all = new Map([...before, ...traits].map((ban) => [keyOf(ban), ban]));
  return [...all.values()].sort(
    (a, b) => RANK.indexOf(a.facet) - RANK.indexOf(b.facet) || (keyOf(a) < keyOf(b) ? -1 : 1),
  );
}

/** What says most comes first: a command line may name a hundred pools, and must not take the room of the template. */
const RANK: readonly Facet[] = ['owner', 'template', 'image', 'binary', 'wallet', 'creator', 'pool'];

function keyOf({ facet, value }: Pick<Ban, 'facet' | 'value'>): string {
  return `${facet} ${value}`;
}

/** What was begun by the response or by people stays; before that the evidence decides. */
function phaseOf(
  before: Status['phase'] | undefined,
  confidence: number,
  confirmFrom: number,
): Status['phase'] {
  if (before !== undefined && before !== 'Detected' && before !== 'Confirmed') return before;
  return confidence >= confirmFrom ? 'Confirmed' : 'Detected';
}

function podOf({ container }: Detection): string[] {
  return container?.pod && container.namespace ? [`${container.namespace}/${container.pod}`] : [];
}

function smallest(values: readonly string[], bound: number): string[] {
  return [...new Set(values)].sort().slice(0, bound);
}

function earlier(a: string, b: string): string {
  return a < b ? a : b;
}

function later(a: string, b: string): string {
  return a > b ? a : b;
}
