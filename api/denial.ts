import { type Static, Type } from 'typebox';
import { Finding, Verdict } from './finding.ts';
import { Conditions, type ObjectMeta } from './object.ts';

export const DenialSpec = Type.Object(
  {
    verdict: Verdict,
    operation: Type.String({ maxLength: 16, description: 'CREATE, UPDATE or CONNECT.' }),
    resource: Type.Object(
      {
        apiVersion: Type.String({ maxLength: 316, description: 'API version of the refused object.' }),
        kind: Type.String({ maxLength: 63, description: 'Its kind.' }),
        name: Type.String({ maxLength: 253, description: 'Its name, or generateName when it had none yet.' }),
        subresource: Type.Optional(Type.String({ maxLength: 63, description: 'Subresource, such as exec.' })),
      },
      { description: 'What was refused.' },
    ),
    user: Type.Object(
      {
        username: Type.String({
          maxLength: 1024,
          description: 'Who asked, as the API server authenticated it.',
        }),
        groups: Type.Array(Type.String({ maxLength: 1024 }), {
          maxItems: 64,
          description: 'Groups of the user; at most 64.',
        }),
      },
      { description: 'Who asked for it.' },
    ),
    gate: Type.Union(
      [Type.Literal('rules'), Type.Literal('quarantine'), Type.Literal('ban'), Type.Literal('guard')],
      {
        description:
          'Which gate refused: rules (it looks like a miner), quarantine (its namespace is contained), ' +
          'ban (it is the fingerprint of a running incident), guard (it would weaken Kubesentry).',
      },
    ),
    score: Type.Integer({ minimum: 0, maximum: 100, description: 'Sum of the findings, capped at 100.' }),
    findings: Type.Array(Finding, { maxItems: 64, description: 'What was found; the strongest first.' }),
    incident: Type.Optional(
      Type.String({ maxLength: 253, description: 'Name of the Incident that this belongs to.' }),
    ),
    excerpt: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description:
          'The parts of the refused object that the findings point at, in their places. Of a text only what ' +
          'matched is there; … stands for the rest, which may hold secrets.',
      }),
    ),
    objectDigest: Type.String({ maxLength: 71, description: 'sha256: of the refused object.' }),
  },
  { description: 'Why a request was refused.' },
);

export const DenialStatus = Type.Object(
  {
    count: Type.Integer({ minimum: 1, description: 'How often the same request was refused.' }),
    firstSeen: Type.String({ format: 'date-time', description: 'When it was refused first.' }),
    lastSeen: Type.String({ format: 'date-time', description: 'When it was refused last.' }),
    conditions: Type.Optional(
      Conditions('Enforced: whether the request was refused, or a policy only had it warned about or noted.'),
    ),
  },
  { description: 'How often and when.' },
);

/** The kept record of a refused request; its name is the id that the user saw in the message. */
export interface Denial {
  apiVersion: 'kubesentry.io/v1alpha1';
  kind: 'Denial';
  metadata: ObjectMeta;
  spec: Static<typeof DenialSpec>;
  status?: Static<typeof DenialStatus>;
}
