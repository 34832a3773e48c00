import { type Static, Type } from 'typebox';
import { WorkloadRef } from './detection.ts';
import { Ban } from './fingerprint.ts';
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

export const QuarantineStatus = Type.Object(
  {
    phase: Type.Union([Type.Literal('Pending'), Type.Literal('Active')], {
      description: 'Active once admission refuses what the quarantine forbids.',
    }),
    since: Type.Optional(Type.String({ format: 'date-time', description: 'Since when it is active.' })),
    conditions: Type.Optional(Conditions('One condition for each effect, such as NamespaceLabeled.')),
  },
  { description: 'What is in force.' },
);

/** The contained state of a namespace or of one workload in it. Cluster-scoped; deleting it releases. */
export interface Quarantine {
  apiVersion: 'kubesentry.io/v1alpha1';
  kind: 'Quarantine';
  metadata: ObjectMeta;
  spec: Static<typeof QuarantineSpec>;
  status?: Static<typeof QuarantineStatus>;
}
