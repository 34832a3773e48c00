import { type Static, Type } from 'typebox';

/** The part of metav1.ObjectMeta that we read or write. Unknown fields pass through untouched. */
export interface ObjectMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Any Kubernetes object, as it comes over the wire. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** metav1.Condition (API conventions, "Typical status properties"). */
export const Condition = Type.Object(
  {
    type: Type.String({ maxLength: 316, description: 'Name of the condition, in CamelCase.' }),
    status: Type.Union([Type.Literal('True'), Type.Literal('False'), Type.Literal('Unknown')], {
      description: 'True, False or Unknown.',
    }),
    reason: Type.String({ maxLength: 1024, description: 'Why, in one CamelCase word.' }),
    message: Type.String({ maxLength: 32768, description: 'Why, in a sentence for people.' }),
    lastTransitionTime: Type.String({ format: 'date-time', description: 'When the status last changed.' }),
    observedGeneration: Type.Optional(
      Type.Integer({ minimum: 0, description: 'The generation of the spec that this speaks of.' }),
    ),
  },
  { description: 'One aspect of the observed state.' },
);
export type Condition = Static<typeof Condition>;

/** Keyed by type, so that each manager applies its own. */
export const Conditions = (description: string) =>
  Type.Array(Condition, {
    maxItems: 16,
    description,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  });

/**
 * Puts `next` among `conditions`, keyed by type. The transition time moves only when the status does,
 * as meta.SetStatusCondition of apimachinery has it.
 */
export function setCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): Condition[] {
  const before = conditions.find((condition) => condition.type === next.type);
  const lastTransitionTime = before?.status === next.status ? before.lastTransitionTime : now;
  const rest = conditions.filter((condition) => condition.type !== next.type);
  return [...rest, { ...next, lastTransitionTime }].sort((a, b) => (a.type < b.type ? -1 : 1));
}
