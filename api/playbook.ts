import { type Static, Type } from 'typebox';

export const PlaybookStep = Type.Union(
  [
    Type.Literal('confirm'),
    Type.Literal('blastRadius'),
    Type.Literal('terminate'),
    Type.Literal('revoke'),
    Type.Literal('wayIn'),
    Type.Literal('report'),
  ],
  {
    description:
      'confirm: process, parent, CPU, known hash. blastRadius: what else is touched. terminate: the owner, then ' +
      'its pods. revoke: credentials of the pods. wayIn: from the process back to the entry. report: the timeline.',
  },
);
export type PlaybookStep = Static<typeof PlaybookStep>;

/** The six steps of the response, in order. */
export const PLAYBOOK: readonly PlaybookStep[] = [
  'confirm',
  'blastRadius',
  'terminate',
  'revoke',
  'wayIn',
  'report',
];

export const StepMode = Type.Union([Type.Literal('auto'), Type.Literal('approve'), Type.Literal('off')], {
  description:
    'auto: Kubesentry does it. approve: it waits for kubectl kubesentry approve. off: never (quote it in YAML).',
});
export type StepMode = Static<typeof StepMode>;

/** What cannot be undone completely waits for people unless the policy says otherwise. */
export const DEFAULT_STEP_MODES: Readonly<Record<PlaybookStep, StepMode>> = {
  confirm: 'auto',
  blastRadius: 'auto',
  terminate: 'approve',
  revoke: 'approve',
  wayIn: 'auto',
  report: 'auto',
};

/** Bounds of what one step keeps, so that the Incident always fits into etcd. */
export const STEP_BOUNDS = { evidence: 32, line: 1024 } as const;

export const StepStatus = Type.Object(
  {
    step: PlaybookStep,
    state: Type.Union(
      [
        Type.Literal('AwaitingApproval'),
        Type.Literal('Running'),
        Type.Literal('Done'),
        Type.Literal('Failed'),
        Type.Literal('Skipped'),
      ],
      {
        description:
          'AwaitingApproval: people decide. Running: begun, not at its end. Done. Failed: tried again. ' +
          'Skipped: there is nothing to do, or the policy says off.',
      },
    ),
    message: Type.String({ maxLength: STEP_BOUNDS.line, description: 'Outcome, in one sentence.' }),
    evidence: Type.Array(Type.String({ maxLength: STEP_BOUNDS.line }), {
      maxItems: STEP_BOUNDS.evidence,
      description: 'What was found or done, line by line.',
    }),
    undo: Type.Optional(
      Type.String({
        maxLength: STEP_BOUNDS.line,
        description: 'How to take it back, where that is possible.',
      }),
    ),
    basis: Type.Optional(
      Type.String({
        maxLength: 8,
        description: 'Short hash of what it was judged from; when that changes, it is judged again.',
      }),
    ),
    time: Type.String({ format: 'date-time', description: 'Since when it is in this state.' }),
  },
  { description: 'One step of the response and how far it is.' },
);
export type StepStatus = Static<typeof StepStatus>;

export const BlastCandidate = Type.Object(
  {
    namespace: Type.String({ maxLength: 63, description: 'Namespace of the workload.' }),
    kind: Type.String({ maxLength: 63, description: 'Kind of the workload.' }),
    name: Type.String({ maxLength: 253, description: 'Name of the workload.' }),
    pods: Type.Integer({ minimum: 0, description: 'How many of its pods run.' }),
    reasons: Type.Array(Type.String({ maxLength: 256 }), {
      maxItems: 8,
      description: 'What connects it with the attack.',
    }),
  },
  { description: 'A workload that may be touched as well.' },
);
export type BlastCandidate = Static<typeof BlastCandidate>;
