import { GROUP } from '../../../api/names.ts';
import type { Fact } from '../fact.ts';
import { type Rule, what } from './finding.ts';

/** Whether the API server let it pass because one of our webhooks did not answer. */
export function isFailedOpen({ details }: Fact): boolean {
  return (details.failedOpen ?? '').split(/[\s,;]+/).some((name) => name.endsWith(`.${GROUP}`));
}

/** Our outage, not an attack; whether it was used is what judging the object afterwards says. */
export const failedOpen: Rule = (fact) =>
  isFailedOpen(fact)
    ? {
        severity: 'low',
        message: `${what(fact)} passed unjudged: ${fact.details.failedOpen} did not answer.`,
      }
    : undefined;
