import { GROUP } from '../../api/names.ts';
import { policyProblems } from '../policy-problems.ts';
import type { Gate } from './gate.ts';

/** A policy that would not be in force is refused while its author is still looking. */
export const policyGate: Gate = ({ kind, operation, object, subResource }) => {
  if (kind.group !== GROUP || kind.kind !== 'SentryPolicy' || subResource !== '') return undefined;
  if (operation === 'DELETE' || !object) return undefined;
  const problems = policyProblems(object.spec ?? {});
  if (problems.length === 0) return undefined;
  return {
    gate: 'guard',
    verdict: 'deny',
    reason: 'it would not be in force as it is.',
    score: 100,
    findings: problems.map(({ path, message }) => ({
      rule: 'invalid-policy',
      severity: 'medium',
      score: 100,
      path,
      message,
      remedy: 'Correct it; the policy that is in force stays so until then.',
    })),
  };
};
