import { type Static, Type } from 'typebox';
import { IncidentAttribution } from './attribution.ts';
import { Detection, WorkloadRef } from './detection.ts';
import { Ban } from './fingerprint.ts';
import { API_VERSION } from './names.ts';
import { Conditions, type ObjectMeta, type OwnerReference } from './object.ts';
import { BlastCandidate, PLAYBOOK, PlaybookStep, StepStatus } from './playbook.ts';

export const IncidentPhase = Type.Union(
  [
    Type.Literal('Detected'),
    Type.Literal('Confirmed'),
    Type.Literal('Contained'),
    Type.Literal('Eradicated'),
    Type.Literal('Closed'),
    Type.Literal('Dismissed'),
  ],
  {
    description:
      'Detected: seen, not yet sure. Confirmed: sure enough to act. Contained: quarantined. ' +
      'Eradicated: nothing of it runs. Closed and Dismissed: ended by people or by time.',
  },
);
export type IncidentPhase = Static<typeof IncidentPhase>;

const STAYS = { rule: 'self == oldSelf', message: 'an incident stays with its workload' };

export const IncidentSpec = Type.Object(
  {
    namespace: Type.String({
      maxLength: 63,
      description: 'Namespace of the workload; empty for a process of a node.',
      'x-kubernetes-validations': [STAYS],
    }),
    workload: Type.Object(WorkloadRef.properties, {
      description: 'The workload itself.',
      'x-kubernetes-validations': [STAYS],
    }),
    approvals: Type.Optional(
      Type.Array(PlaybookStep, {
        maxItems: PLAYBOOK.length,
        description: 'Steps that people have approved: kubectl kubesentry approve NAME STEP.',
        'x-kubernetes-list-type': 'set',
      }),
    ),
    dismissed: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1024,
        description: 'Why this is no attack; ends the incident: kubectl kubesentry dismiss NAME --reason.',
      }),
    ),
  },
  { description: 'The workload under attack, and what people decided about it.' },
);

export const TimelineEntry = Type.Object(
  {
    time: Type.String({ format: 'date-time', description: 'UTC.' }),
    source: Type.Union(
      [
        Type.Literal('runtime'),
        Type.Literal('admission'),
        Type.Literal('audit'),
        Type.Literal('response'),
        Type.Literal('operator'),
      ],
      { description: 'Who saw or did it: runtime, admission, audit, response or operator.' },
    ),
    reference: Type.Optional(
      Type.String({ maxLength: 253, description: 'Detection id, Denial name or audit id that shows it.' }),
    ),
    message: Type.String({ maxLength: 1024, description: 'What happened, in one sentence.' }),
  },
  { description: 'One line of the timeline.' },
);
export type TimelineEntry = Static<typeof TimelineEntry>;

/** Bounds of one Incident object, so that it always fits into etcd. What does not fit is counted. */
export const INCIDENT_BOUNDS = {
  detections: 32,
  pods: 256,
  nodes: 256,
  fingerprint: 64,
  timeline: 128,
  reasons: 16,
  candidates: 64,
  serviceAccounts: 32,
} as const;

const marks = () =>
  Type.String({ maxLength: 8192, description: 'Short hashes, eight hex digits each; at most 1024.' });

export const IncidentStatus = Type.Object(
  {
    phase: IncidentPhase,
    confidence: Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'How sure we are that this is mining, 0 to 1.',
    }),
    reasons: Type.Array(Type.String({ maxLength: 1024 }), {
      maxItems: INCIDENT_BOUNDS.reasons,
      description: 'What the confidence rests on, strongest first.',
    }),
    firstSeen: Type.String({ format: 'date-time', description: 'When its first detection was seen.' }),
    lastSeen: Type.String({ format: 'date-time', description: 'When its last detection was seen.' }),
    detections: Type.Array(Detection, {
      maxItems: INCIDENT_BOUNDS.detections,
      description: 'The detections themselves, most confident first.',
    }),
    pods: Type.Array(Type.String({ maxLength: 320 }), {
      maxItems: INCIDENT_BOUNDS.pods,
      description: 'Affected pods, as namespace/name.',
    }),
    nodes: Type.Array(Type.String({ maxLength: 253 }), {
      maxItems: INCIDENT_BOUNDS.nodes,
      description: 'Nodes that saw it.',
    }),
    fingerprint: Type.Array(Ban, {
      maxItems: INCIDENT_BOUNDS.fingerprint,
      description: 'Traits by which it is known again.',
    }),
    quarantine: Type.Optional(
      Type.String({ maxLength: 253, description: 'Name of the Quarantine that contains it.' }),
    ),
    timeline: Type.Array(TimelineEntry, {
      maxItems: INCIDENT_BOUNDS.timeline,
      description: 'What happened, in order; the oldest and the newest lines are kept.',
    }),
    omitted: Type.Object(
      {
        detections: Type.Integer({
          minimum: 0,
          description: 'Detections that found no room; exact up to about 1,000, beyond that within 3 %.',
        }),
        pods: Type.Integer({ minimum: 0, description: 'Pods that found no room; counted in the same way.' }),
        timeline: Type.Integer({
          minimum: 0,
          description: 'Timeline lines that found no room; counted in the same way.',
        }),
        nodes: Type.Optional(Type.Integer({ minimum: 0, description: 'Nodes that found no room.' })),
        fingerprint: Type.Optional(Type.Integer({ minimum: 0, description: 'Traits that found no room.' })),
        marks: Type.Optional(
          Type.Object(
            {
              detections: marks(),
              pods: marks(),
              timeline: marks(),
              nodes: Type.Optional(marks()),
              fingerprint: Type.Optional(marks()),
            },
            { description: 'What was left out, so that it is not counted twice when it comes again.' },
          ),
        ),
      },
      { description: 'What the bounds of this object left out.' },
    ),
    serviceAccounts: Type.Optional(
      Type.Array(Type.String({ maxLength: 253 }), {
        maxItems: INCIDENT_BOUNDS.serviceAccounts,
        description: 'Service accounts of the affected pods; their tokens are in the hands of the attacker.',
      }),
    ),
    blastRadius: Type.Optional(
      Type.Array(BlastCandidate, {
        maxItems: INCIDENT_BOUNDS.candidates,
        description: 'Workloads that may be touched as well, the most connected first.',
      }),
    ),
    attribution: Type.Optional(IncidentAttribution),
    steps: Type.Optional(
      Type.Array(StepStatus, {
        maxItems: PLAYBOOK.length,
        description: 'The six steps of the response.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['step'],
      }),
    ),
    conditions: Type.Optional(Conditions('Observed state by aspect.')),
  },
  { description: 'What is known about it.' },
);

/** Detections, denials and audit facts about one workload, correlated. Cluster-scoped. */
export interface Incident {
  apiVersion: 'kubesentry.io/v1alpha1';
  kind: 'Incident';
  metadata: ObjectMeta;
  spec: Static<typeof IncidentSpec>;
  status?: Static<typeof IncidentStatus>;
}

/** Whether it goes on: neither people nor time have ended it. One without a status has only just been created. */
export function isOpen({ status }: Pick<Incident, 'status'>): boolean {
  return status !== undefined && status.phase !== 'Closed' && status.phase !== 'Dismissed';
}

/** On what is kept for an incident alone: the API server deletes it with the incident. None before that is stored. */
export function ownedByIncident({ name = '', uid }: ObjectMeta): { ownerReferences?: OwnerReference[] } {
  if (uid === undefined) return {};
  return { ownerReferences: [{ apiVersion: API_VERSION, kind: 'Incident', name, uid }] };
}
