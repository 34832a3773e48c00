import type { TSchema } from 'typebox';
import { DenialSpec, DenialStatus } from './denial.ts';
import { IncidentSpec, IncidentStatus } from './incident.ts';
import { GROUP, SYSTEM_NAMESPACE } from './names.ts';
import type { KubeObject } from './object.ts';
import { QuarantineSpec, QuarantineStatus } from './quarantine.ts';
import { SentryPolicySpec, SentryPolicyStatus } from './sentry-policy.ts';

/** A column of `kubectl get`; priority 1 shows with `-o wide` only. */
interface Column {
  name: string;
  type: 'string' | 'integer' | 'number' | 'date';
  jsonPath: string;
  priority?: 1;
}

interface Definition {
  kind: string;
  plural: string;
  shortName: string;
  scope: 'Namespaced' | 'Cluster';
  description: string;
  spec: TSchema;
  status: TSchema;
  columns: Column[];
  /** CEL rules over the whole object. */
  validations?: { rule: string; message: string }[];
}

const age: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

const DEFINITIONS: Definition[] = [
  {
    kind: 'Denial',
    plural: 'denials',
    shortName: 'den',
    scope: 'Namespaced',
    description:
      'The kept record of a request that Kubesentry refused. Its name is the id that the user saw.',
    spec: DenialSpec,
    status: DenialStatus,
    columns: [
      { name: 'Gate', type: 'string', jsonPath: '.spec.gate' },
      { name: 'Kind', type: 'string', jsonPath: '.spec.resource.kind' },
      { name: 'Resource', type: 'string', jsonPath: '.spec.resource.name' },
      { name: 'Rule', type: 'string', jsonPath: '.spec.findings[0].rule' },
      { name: 'Count', type: 'integer', jsonPath: '.status.count' },
      { name: 'User', type: 'string', jsonPath: '.spec.user.username', priority: 1 },
      { name: 'Incident', type: 'string', jsonPath: '.spec.incident', priority: 1 },
      age,
    ],
    validations: [
      { rule: 'self.spec == oldSelf.spec', message: 'a denial is a record: its spec does not change' },
    ],
  },
  {
    kind: 'Incident',
    plural: 'incidents',
    shortName: 'inc',
    scope: 'Cluster',
    description: 'One workload under attack: what was seen, how sure it is, what was done.',
    spec: IncidentSpec,
    status: IncidentStatus,
    columns: [
      { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
      { name: 'Confidence', type: 'number', jsonPath: '.status.confidence' },
      { name: 'Namespace', type: 'string', jsonPath: '.spec.namespace' },
      { name: 'Kind', type: 'string', jsonPath: '.spec.workload.kind' },
      { name: 'Workload', type: 'string', jsonPath: '.spec.workload.name' },
      { name: 'Rule', type: 'string', jsonPath: '.status.detections[0].rule' },
      { name: 'Quarantine', type: 'string', jsonPath: '.status.quarantine', priority: 1 },
      age,
    ],
  },
  {
    kind: 'Quarantine',
    plural: 'quarantines',
    shortName: 'quar',
    scope: 'Cluster',
    description: 'The contained state of a namespace or of one workload in it. Deleting it releases.',
    spec: QuarantineSpec,
    status: QuarantineStatus,
    columns: [
      { name: 'Namespace', type: 'string', jsonPath: '.spec.namespace' },
      { name: 'Workload', type: 'string', jsonPath: '.spec.workload.name' },
      { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
      { name: 'Incident', type: 'string', jsonPath: '.spec.incident' },
      { name: 'By', type: 'string', jsonPath: '.spec.requestedBy', priority: 1 },
      { name: 'Expires', type: 'date', jsonPath: '.spec.expiresAt', priority: 1 },
      age,
    ],
  },
  {
    kind: 'SentryPolicy',
    plural: 'sentrypolicies',
    shortName: 'sp',
    scope: 'Namespaced',
    description: `Settings of Kubesentry. Counts only in the namespace ${SYSTEM_NAMESPACE}.`,
    spec: SentryPolicySpec,
    status: SentryPolicyStatus,
    columns: [
      { name: 'Mode', type: 'string', jsonPath: '.spec.admission.mode' },
      { name: 'Accepted', type: 'string', jsonPath: '.status.conditions[?(@.type=="Accepted")].status' },
      age,
    ],
  },
];

/** The CustomResourceDefinitions of our kinds, made from the schemas that the code itself uses. */
export function customResourceDefinitions(): KubeObject[] {
  return DEFINITIONS.map(
    ({ kind, plural, shortName, scope, description, spec, status, columns, validations }) => ({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${GROUP}`, labels: { 'app.kubernetes.io/part-of': 'kubesentry' } },
      spec: {
        group: GROUP,
        scope,
        names: {
          kind,
          plural,
          singular: kind.toLowerCase(),
          listKind: `${kind}List`,
          shortNames: [shortName],
          categories: ['kubesentry'],
        },
        versions: [
          {
            name: 'v1alpha1',
            served: true,
            storage: true,
            subresources: { status: {} },
            additionalPrinterColumns: columns,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                description,
                required: ['spec'],
                properties: {
                  apiVersion: { type: 'string', description: 'Version of the schema of this object.' },
                  kind: { type: 'string', description: 'Kind of this object.' },
                  metadata: { type: 'object' },
                  spec: structural(spec),
                  status: structural(status),
                },
                ...(validations && {
                  'x-kubernetes-validations': validations,
                }),
              },
            },
          },
        ],
      },
    }),
  );
}

type Json = Record<string, unknown>;

/**
 * A JSON schema as a structural one (apiextensions pkg/apiserver/schema): literals become an enum, a union with null
 * becomes nullable, a record becomes additionalProperties, unknown keeps whatever is there.
 */
function structural(schema: TSchema): Json {
  return convert(JSON.parse(JSON.stringify(schema)) as Json);
}

function convert(schema: Json): Json {
  const {
    anyOf,
    patternProperties,
    properties,
    items,
    const: literal,
    required,
    maxProperties,
    ...rest
  } = schema;
  if (Array.isArray(anyOf)) return { ...union(anyOf as Json[]), ...rest };
  if (literal !== undefined) return { type: typeof literal, enum: [literal], ...rest };
  if (patternProperties) {
    const [value] = Object.values(patternProperties as Record<string, Json>);
    const open = value && Object.keys(value).length === 0;
    return open
      ? { ...rest, 'x-kubernetes-preserve-unknown-fields': true }
      : { ...rest, additionalProperties: convert(value ?? {}) };
  }
  return {
    ...rest,
    ...(Array.isArray(required) && required.length > 0 && { required }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties as Record<string, Json>).map(([name, value]) => [name, convert(value)]),
      ),
    }),
    ...(items !== undefined && { items: convert(items as Json) }),
  };
}

function union(members: Json[]): Json {
  const present = members.filter(({ type }) => type !== 'null');
  const nullable = present.length < members.length ? { nullable: true } : {};
  if (present.every((member) => member.const !== undefined)) {
    return { type: 'string', enum: present.map((member) => member.const), ...nullable };
  }
  if (present.length !== 1) throw new Error('A structural schema has no union of several shapes.');
  return { ...convert(present[0] as Json), ...nullable };
}
