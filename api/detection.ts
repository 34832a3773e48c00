import { type Static, Type } from 'typebox';
import { Severity } from './finding.ts';
import { type Habit, NodeState } from './node-state.ts';

/** What the kernel or the agent did about it before anybody asked. */
export const Action = Type.Union(
  [
    Type.Literal('none'),
    Type.Literal('killed'),
    Type.Literal('refused'),
    Type.Literal('dropped'),
    Type.Literal('frozen'),
  ],
  {
    description:
      'What was done at once: none, killed (process), refused (connect), dropped (flow), frozen (cgroup).',
  },
);
export type Action = Static<typeof Action>;

export const Ancestor = Type.Object({
  pid: Type.Integer({ minimum: 0, description: 'Process id on the node.' }),
  exe: Type.String({ maxLength: 4096, description: 'Path of its binary.' }),
  argv: Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 256, description: 'Its arguments.' }),
});
export type Ancestor = Static<typeof Ancestor>;

export const DetectedProcess = Type.Object(
  {
    pid: Type.Integer({ minimum: 0, description: "Process id as the node's kernel sees it." }),
    exe: Type.String({ maxLength: 4096, description: 'Path of the binary, as the process saw it.' }),
    argv: Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 256, description: 'Its arguments.' }),
    uid: Type.Integer({ minimum: 0, description: 'User id on the node.' }),
    sha256: Type.Union([Type.String({ pattern: '^[0-9a-f]{64}$' }), Type.Null()], {
      description: 'SHA-256 of the binary; null when it was gone before it could be read.',
    }),
    ancestors: Type.Array(Ancestor, { maxItems: 32, description: 'Parent first, up to the container init.' }),
  },
  { description: 'The process that was caught.' },
);
export type DetectedProcess = Static<typeof DetectedProcess>;

export const WorkloadRef = Type.Object(
  {
    kind: Type.String({ maxLength: 63, description: 'Kind of the top owner, such as DaemonSet.' }),
    name: Type.String({ maxLength: 253, description: 'Its name.' }),
  },
  { description: 'The workload that owns a pod, or the pod itself when nothing does.' },
);
export type WorkloadRef = Static<typeof WorkloadRef>;

export const DetectedContainer = Type.Object(
  {
    id: Type.Union([Type.String({ maxLength: 128 }), Type.Null()], { description: 'Container id.' }),
    cgroup: Type.String({ maxLength: 4096, description: 'Path of its cgroup below the hierarchy root.' }),
    podUid: Type.Union([Type.String({ maxLength: 64 }), Type.Null()], { description: "The pod's UID." }),
    name: Type.Union([Type.String({ maxLength: 253 }), Type.Null()], { description: 'Container name.' }),
    namespace: Type.Union([Type.String({ maxLength: 63 }), Type.Null()], {
      description: "The pod's namespace.",
    }),
    pod: Type.Union([Type.String({ maxLength: 253 }), Type.Null()], { description: "The pod's name." }),
    workload: Type.Union([WorkloadRef, Type.Null()]),
    image: Type.Union([Type.String({ maxLength: 1024 }), Type.Null()], {
      description: 'Image of the container.',
    }),
  },
  {
    description:
      'The container it ran in. Null fields are not known to the node; the webhook completes them.',
  },
);
export type DetectedContainer = Static<typeof DetectedContainer>;

/**
 * What a node agent reports about one process or connection in one container. It is a line of `agent -o jsonl`
 * and an item of a report. The id is derived from content, so that the same fact sent twice is one fact;
 * a later detection with the same id replaces the earlier one.
 */
export const Detection = Type.Object({
  id: Type.String({
    pattern: '^[0-9a-f]{32}$',
    description: 'Derived from content: node, container, rule, process.',
  }),
  time: Type.String({ format: 'date-time', description: 'When the kernel saw it first, RFC 3339 UTC.' }),
  rule: Type.String({ maxLength: 63, description: 'The rule that counts most.' }),
  severity: Severity,
  confidence: Type.Number({
    minimum: 0,
    maximum: 1,
    description: 'How sure it is that this is mining, 0 to 1.',
  }),
  action: Action,
  process: DetectedProcess,
  container: Type.Union([DetectedContainer, Type.Null()]),
  evidence: Type.Record(Type.String({ maxLength: 63 }), Type.Unknown(), {
    maxProperties: 64,
    description: 'What the rule saw, by name: findings, destination, protocol, wallet, pool.',
  }),
  repeats: Type.Integer({ minimum: 0, description: 'Identical occurrences folded into this one.' }),
});
export type Detection = Static<typeof Detection>;

/** Body of `POST /v1/detections`. At most 500 detections; the agent sends the rest in the next report. */
export const DetectionReport = Type.Object({
  apiVersion: Type.Literal('kubesentry.io/v1alpha1'),
  kind: Type.Literal('DetectionReport'),
  node: Type.String({ maxLength: 253, description: "The agent's node; must equal the node in its token." }),
  detections: Type.Array(Detection, { maxItems: 500 }),
  state: Type.Optional(NodeState),
});
export type DetectionReport = Static<typeof DetectionReport>;

/** Answer to a report. What is not acknowledged stays in the agent's spool and comes again. */
export interface DetectionReportAnswer {
  /** Ids that are now kept in the API server. */
  acknowledged: string[];
  /** Ids that will never be accepted, each with the reason; the agent drops and counts them. */
  rejected: { id: string; code: string; message: string }[];
  /** What other nodes have learned about the workloads whose habits the report has. */
  habits?: Habit[];
}
