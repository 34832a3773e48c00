import { type Static, Type } from 'typebox';
import { WorkloadRef } from './detection.ts';
import { Ban } from './fingerprint.ts';
import { PROTECTED_NAMESPACES } from './names.ts';
import { Conditions, type ObjectMeta } from './object.ts';

export const QuarantineSpec = Type.Object(
  {
    namespace: Type.String({
      minLength: 1,
      maxLength: 63,
      description: 'The namespace to contain.',
      'x-kubernetes-validations': [
        { rule: 'self == oldSelf', message: 'a quarantine stays with its namespace' },
      ],
    }),
    workload: Type.Optional(WorkloadRef),
    incident: Type.Optional(
      Type.String({ maxLength: 253, description: 'Name of the Incident that asked for it.' }),
    ),
    evenIfProtected: Type.Optional(
      Type.Boolean({
        description:
          'Contain the whole namespace although the cluster lives on it: only people ask for this. What keeps the ' +
          'cluster alive goes on there: nodes, the scheduler, controllers that bring pods back, and all network.',
      }),
    ),
    reason: Type.String({
      maxLength: 1024,
      description: 'Why, in one sentence; users read it in every refusal.',
    }),
    requestedBy: Type.String({ maxLength: 1024, description: 'kubesentry, or the user who asked for it.' }),
    bans: Type.Array(Ban, {
      maxItems: 64,
      description: 'Traits that are denied in every namespace meanwhile.',
    }),
    expiresAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'When it ends by itself; never when absent.' }),
    ),
  },
  {
    description:
      'What is contained and why. Without a workload the whole namespace is: nothing that runs code may be ' +
      'created or changed in it, and exec, attach and port-forward are refused.',
  },
);

/** Nodes whose word a Quarantine keeps. */
export const EGRESS_NODES = 5000;

export const QuarantineStatus = Type.Object(
  {
    phase: Type.Union([Type.Literal('Pending'), Type.Literal('Active')], {
      description: 'Active once admission refuses what the quarantine forbids.',
    }),
    since: Type.Optional(Type.String({ format: 'date-time', description: 'Since when it is active.' })),
    conditions: Type.Optional(Conditions('One condition for each effect, such as NamespaceLabeled.')),
    egress: Type.Optional(
      Type.Record(
        Type.String({ maxLength: 253 }),
        Type.Union([Type.Literal('cut'), Type.Literal('open')], {
          description: 'cut: none of its pods there can send. open: some still can.',
        }),
        {
          maxProperties: EGRESS_NODES,
          description: 'By node, what its agent says of the pods that are contained there.',
        },
      ),
    ),
  },
  { description: 'What is in force.' },
);

/** Whether it is about a namespace that the cluster lives on. */
export function isProtected({ spec }: Pick<Quarantine, 'spec'>): boolean {
  return PROTECTED_NAMESPACES.includes(spec.namespace);
}

/** Whether the namespace as a whole is contained: one that the cluster lives on only where people insist. */
export function containsNamespace(quarantine: Pick<Quarantine, 'spec'>): boolean {
  const { workload, evenIfProtected = false } = quarantine.spec;
  return !workload && (evenIfProtected || !isProtected(quarantine));
}

/** The contained state of a namespace or of one workload in it. Cluster-scoped; deleting it releases. */
export interface Quarantine {
  apiVersion: 'kubesentry.io/v1alpha1';
  kind: 'Quarantine';
  metadata: ObjectMeta;
  spec: Static<typeof QuarantineSpec>;
  status?: Static<typeof QuarantineStatus>;
}
