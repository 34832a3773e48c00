import { type Static, Type } from 'typebox';
import { CONCLUSIVE } from './weight.ts';

/** How bad a finding is if it is true; how sure we are is the score's business. */
export const Severity = Type.Union(
  [Type.Literal('low'), Type.Literal('medium'), Type.Literal('high'), Type.Literal('critical')],
  { description: 'How bad this is if it is true: low, medium, high or critical.' },
);
export type Severity = Static<typeof Severity>;

export const Finding = Type.Object(
  {
    rule: Type.String({ maxLength: 63, description: 'Id of the rule that matched, such as stratum-url.' }),
    severity: Severity,
    score: Type.Integer({
      minimum: 0,
      maximum: CONCLUSIVE,
      description: 'Weight of this evidence: 100 is conclusive alone, less needs company.',
    }),
    path: Type.String({
      maxLength: 512,
      description:
        'Where it matched: a path into the object such as spec.containers[0].args[1], or a process field.',
    }),
    message: Type.String({ maxLength: 1024, description: 'What was found there, in one sentence.' }),
    evidence: Type.Optional(
      Type.String({ maxLength: 512, description: 'The text that matched, cut to 512 characters.' }),
    ),
    remedy: Type.String({ maxLength: 1024, description: 'What to do about it.' }),
  },
  { description: 'One rule that matched in one place.' },
);
export type Finding = Static<typeof Finding>;

export const Verdict = Type.Union([Type.Literal('allow'), Type.Literal('warn'), Type.Literal('deny')], {
  description: 'What admission answers: allow, warn or deny.',
});
export type Verdict = Static<typeof Verdict>;
