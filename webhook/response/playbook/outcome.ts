import { PLAYBOOK, type PlaybookStep, STEP_BOUNDS, type StepStatus } from '../../../api/playbook.ts';
import { printable } from '../../../api/printable.ts';
import type { IncidentStatus } from '../../incident/store.ts';
import { addTimeline } from '../../incident/timeline.ts';

/** What came of one step. */
export interface Outcome {
  state: StepStatus['state'];
  message: string;
  /** Line by line; what is beyond the bounds is cut and said so. */
  evidence?: readonly string[];
  undo?: string | undefined;
  basis?: string | undefined;
  /** What it found out about the incident itself. */
  found?: Partial<Pick<IncidentStatus, 'blastRadius' | 'serviceAccounts'>> | undefined;
}

/** Writes an outcome into the incident, with a line of the timeline when the step gets into another state. */
export function recorded(
  status: IncidentStatus,
  step: PlaybookStep,
  outcome: Outcome,
  now: Date,
): IncidentStatus {
  const { state, undo, basis, found } = outcome;
  const before = stepOf(status, step);
  const message = cut(outcome.message);
  const time = before?.state === state ? before.time : now.toISOString();
  const next: StepStatus = {
    step,
    state,
    message,
    evidence: bounded(outcome.evidence ?? []),
    ...(undo === undefined ? {} : { undo: cut(undo) }),
    ...(basis === undefined ? {} : { basis }),
    time,
  };
  const steps = PLAYBOOK.flatMap((each) => (each === step ? [next] : (stepOf(status, each) ?? [])));
  const after: IncidentStatus = { ...status, ...found, steps };
  if (before?.state === state) return after;
  const line = {
    time,
    source: 'response' as const,
    reference: `${step}/${state}`,
    message: cut(`${step}: ${message}`),
  };
  return addTimeline(after, [line]);
}

export function stepOf({ steps }: Pick<IncidentStatus, 'steps'>, step: PlaybookStep): StepStatus | undefined {
  return steps?.find((each) => each.step === step);
}

function bounded(lines: readonly string[]): string[] {
  if (lines.length <= STEP_BOUNDS.evidence) return lines.map(cut);
  const kept = lines.slice(0, STEP_BOUNDS.evidence - 1).map(cut);
  return [...kept, `... and ${lines.length - kept.length} more.`];
}

function cut(whole: string): string {
  const text = printable(whole);
  return text.length <= STEP_BOUNDS.line ? text : `${text.slice(0, STEP_BOUNDS.line - 3)}...`;
}
