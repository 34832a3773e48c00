import type { ClusterView } from '../view.ts';
import type { Step } from './plan.ts';
import type { Move } from './playbook/plan-playbook.ts';

/** What is to be done about one thing, in order. */
export interface Job {
  place: string;
  steps: (Step | Move)[];
}

type Known = Pick<ClusterView, 'quarantines' | 'incidentNamed'>;

/** Steps by what they are about, what is not contained yet first. Pure. */
export function jobsOf(steps: readonly (Step | Move)[], view: Known): Job[] {
  const places = new Map<string, Job>();
  for (const step of steps) {
    const place = placeOf(step, view);
    const job = places.get(place) ?? { place, steps: [] };
    job.steps.push(step);
    places.set(place, job);
  }
  for (const job of places.values()) job.steps.sort((a, b) => Number(begins(b)) - Number(begins(a)));
  return [...places.values()].sort((a, b) => Number(contains(b)) - Number(contains(a)));
}

/** Waits for nothing that is about the same place. */
function begins(step: Step | Move): boolean {
  return step.do === 'quarantine';
}

/** By which nothing new runs from then on. */
function contains({ steps }: Job): boolean {
  return steps.some((step) => step.do === 'quarantine' || step.do === 'label');
}

/**
 * What a step is about: two of one namespace, or of one incident, are not done at the same time. Steps of several
 * incidents of a namespace are, but for revoke: their pods may share an account.
 */
function placeOf(step: Step | Move, view: Known): string {
  if ('namespace' in step) return step.namespace;
  if (step.do === 'reattach') return step.pod.metadata.namespace ?? '';
  if (step.do === 'revoke') return `revoke in ${view.incidentNamed(step.incident)?.spec.namespace}`;
  if ('incident' in step) return `incident ${step.incident}`;
  if (!('quarantine' in step)) return '';
  const { quarantine } = step;
  return (
    (typeof quarantine === 'string' ? view.quarantines.get(quarantine) : quarantine)?.spec.namespace ?? ''
  );
}
