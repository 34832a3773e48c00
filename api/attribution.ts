import { type Static, Type } from 'typebox';
import { Verdict } from './finding.ts';

/** Bounds of an attribution, so that the Incident always fits into etcd. */
export const ATTRIBUTION_BOUNDS = { hops: 17, siblings: 32, changes: 16, reasons: 8, missing: 8 } as const;

const user = () => Type.String({ maxLength: 512, description: 'User, as the API server authenticated it.' });
const address = () =>
  Type.String({ maxLength: 64, description: 'Source address; empty when the event has none.' });
const auditID = () => Type.String({ maxLength: 64, description: 'auditID of the event that shows it.' });
const time = () => Type.String({ format: 'date-time', description: 'When the API server got the request.' });

export const Creator = Type.Object(
  {
    user: user(),
    groups: Type.Array(Type.String({ maxLength: 256 }), { maxItems: 16, description: 'Groups of the user.' }),
    impersonates: Type.Optional(
      Type.String({ maxLength: 512, description: 'User in whose name the request was sent.' }),
    ),
    address: address(),
    userAgent: Type.String({ maxLength: 256, description: 'Program, as it calls itself.' }),
    auditID: auditID(),
    time: time(),
  },
  { description: 'Who sent the request by which the workload came to run.' },
);
export type Creator = Static<typeof Creator>;

export const AttributionHop = Type.Object(
  {
    kind: Type.Union(
      [
        Type.Literal('anonymous'),
        Type.Literal('grant'),
        Type.Literal('token'),
        Type.Literal('secrets'),
        Type.Literal('exec'),
        Type.Literal('port-forward'),
        Type.Literal('create'),
      ],
      {
        description:
          'anonymous: let in without a credential. grant: rights bound. token: made. secrets: read. ' +
          'exec, port-forward: into a pod. create: the workload itself.',
      },
    ),
    time: time(),
    user: user(),
    address: address(),
    auditID: auditID(),
    message: Type.String({ maxLength: 512, description: 'What the user did.' }),
  },
  { description: 'One step of the way in.' },
);

export const AttributionSibling = Type.Object(
  {
    namespace: Type.String({ maxLength: 63, description: 'Namespace of the workload.' }),
    kind: Type.String({ maxLength: 63, description: 'Kind of the workload.' }),
    name: Type.String({ maxLength: 253, description: 'Name of the workload.' }),
    strength: Type.Union([Type.Literal('strong'), Type.Literal('medium')], {
      description: 'strong: carries the attack, or cannot be legitimate. medium: worth a look.',
    }),
    reasons: Type.Array(Type.String({ maxLength: 256 }), { maxItems: 8, description: 'What connects it.' }),
    auditID: auditID(),
    verdict: Type.Optional(Verdict),
    incident: Type.Optional(Type.String({ maxLength: 253, description: 'Incident of its own.' })),
  },
  { description: 'Another workload of the same hands or of the same traits.' },
);

export const AttributionChange = Type.Object(
  {
    time: time(),
    user: user(),
    auditID: auditID(),
    times: Type.Integer({ minimum: 1, description: 'How often.' }),
    message: Type.String({ maxLength: 512, description: 'What the user changed or read.' }),
  },
  { description: 'What the same hands did to the cluster: rights, tokens, Secrets, webhooks, labels.' },
);

/** Who is behind an incident, as the audit events of a day before and an hour after tell. */
export const IncidentAttribution = Type.Object(
  {
    creator: Type.Optional(Creator),
    wayIn: Type.Array(AttributionHop, {
      maxItems: ATTRIBUTION_BOUNDS.hops,
      description: 'How they came in, in order of time.',
    }),
    siblings: Type.Array(AttributionSibling, {
      maxItems: ATTRIBUTION_BOUNDS.siblings,
      description: 'What else is theirs, the most certain first.',
    }),
    changes: Type.Array(AttributionChange, {
      maxItems: ATTRIBUTION_BOUNDS.changes,
      description: 'What else they changed.',
    }),
    respawns: Type.Integer({
      minimum: 0,
      description: 'How often controllers or people made it again afterwards.',
    }),
    confidence: Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'How sure we are that the creator is behind it, 0 to 1.',
    }),
    reasons: Type.Array(Type.String({ maxLength: 512 }), {
      maxItems: ATTRIBUTION_BOUNDS.reasons,
      description: 'What that rests on, and what speaks against it.',
    }),
    missing: Type.Array(Type.String({ maxLength: 512 }), {
      maxItems: ATTRIBUTION_BOUNDS.missing,
      description: 'What is not known, and which traces too many share to connect anything.',
    }),
  },
  { description: 'Who did it, from where, how they came in and what else is theirs; from audit events.' },
);
export type IncidentAttribution = Static<typeof IncidentAttribution>;
