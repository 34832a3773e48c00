import type { Action, Detection } from '../../api/detection.ts';
import type { Ban, Fingerprint } from '../../api/fingerprint.ts';
import { INCIDENT_BOUNDS, type Incident } from '../../api/incident.ts';
import { API_VERSION } from '../../api/names.ts';
import { leaveOut } from './bounded.ts';
import { confidenceOf } from './confidence.ts';
import type { Subject } from './subject.ts';
import { NO_MARKS, withDetections } from './timeline.ts';
import { trim } from './trim.ts';

/** What is known beside the detection itself. */
export interface CorrelationFacts {
  /** Name of the incident. */
  name: string;
  subject: Subject;
  /** Empty when no node saw it. */
  node: string;
  /** Traits that the detection shows. */
  traits: Fingerprint;
  /** From which confidence on the incident is confirmed. */
  confirmFrom: number;
}

type Status = NonNullable<Incident['status']>;

const NODES = 256;
const TRAITS = 64;

/**
 * Adds one detection to an incident, or begins one with it. Pure, commutative and idempotent: the same detections in
 * any order, and however often, give the same object. Bounded: what finds no room is counted.
 */
export function correlate(
  incident: Incident | undefined,
  detection: Detection,
  facts: CorrelationFacts,
): Incident {
  const before = incident?.status;
  const trimmed = trim(detection);
  const detections = keepDetections(before?.detections ?? [], trimmed);
  const { confidence, reasons } = confidenceOf(detections);
  const pods = smallest([...(before?.pods ?? []), ...podOf(trimmed)], INCIDENT_BOUNDS.pods);
  const ids = (list: readonly Detection[]) => list.map(({ id }) => id);
  const marks = before?.omitted.marks ?? NO_MARKS;
  const leftOut = {
    detections: leaveOut(marks.detections, ids([...(before?.detections ?? []), trimmed]), ids(detections)),
    pods: leaveOut(marks.pods, [...(before?.pods ?? []), ...podOf(trimmed)], pods),
    timeline: { marks: marks.timeline, count: before?.omitted.timeline ?? 0 },
  };
  const status: Status = {
    ...before,
    phase: phaseOf(before?.phase, confidence, facts.confirmFrom),
    confidence,
    reasons: reasons.slice(0, INCIDENT_BOUNDS.reasons),
    firstSeen: earlier(before?.firstSeen, trimmed.time),
    lastSeen: later(before?.lastSeen, trimmed.time),
    detections,
    pods,
    nodes: smallest([...(before?.nodes ?? []), ...(facts.node === '' ? [] : [facts.node])], NODES),
    fingerprint: keepTraits(before?.fingerprint ?? [], facts),
    timeline: withDetections(before?.timeline ?? [], detections),
    omitted: {
      detections: leftOut.detections.count,
      pods: leftOut.pods.count,
      timeline: leftOut.timeline.count,
      marks: {
        detections: leftOut.detections.marks,
        pods: leftOut.pods.marks,
        timeline: leftOut.timeline.marks,
      },
    },
  };
  return incident ? { ...incident, status } : begin(facts, status);
}

function begin({ name, subject }: CorrelationFacts, status: Status): Incident {
  return { apiVersion: API_VERSION, kind: 'Incident', metadata: { name }, spec: subject, status };
}

/** The most confident ones. A version of a detection that says more replaces the one that says less. */
function keepDetections(before: readonly Detection[], next: Detection): Detection[] {
  const known = before.find(({ id }) => id === next.id);
  const wins = known === undefined || compareVersions(next, known) > 0;
  const all = wins ? [...before.filter(({ id }) => id !== next.id), next] : [...before];
  return all
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

function keepTraits(before: readonly Ban[], { subject, traits }: CorrelationFacts): Ban[] {
  const { namespace, workload } = subject;
  const reason = `Part of the attack on ${workload.kind} ${namespace === '' ? '' : `${namespace}/`}${workload.name}.`;
  const all = new Map(
    [...before, ...traits.map((trait) => ({ ...trait, reason }))].map((ban) => [keyOf(ban), ban]),
  );
  return [...all.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)).slice(0, TRAITS);
}

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

function earlier(a: string | undefined, b: string): string {
  return a !== undefined && a < b ? a : b;
}

function later(a: string | undefined, b: string): string {
  return a !== undefined && a > b ? a : b;
}
