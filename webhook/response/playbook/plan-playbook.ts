import { createHash } from 'node:crypto';
import type { Incident, IncidentPhase } from '../../../api/incident.ts';
import { PROTECTED_NAMESPACES } from '../../../api/names.ts';
import { PLAYBOOK, type PlaybookStep } from '../../../api/playbook.ts';
import type { Policy } from '../../admission/policy.ts';
import { type Outcome, stepOf } from './outcome.ts';

/** Steps that only look. */
export type Look = 'confirm' | 'blastRadius' | 'wayIn' | 'report';

/** What becomes known of a step without touching anything: by looking now, or because it is decided already. */
export type Note = { step: Look; basis: string } | { step: PlaybookStep; outcome: Outcome };

/** One move of the playbook; making it twice changes nothing. All notes of an incident are one write. */
export type Move =
  /** `isAgain` where it is only told anew, because there is more evidence. */
  | { do: 'note'; incident: string; notes: Note[]; isAgain: boolean }
  | { do: 'terminate' | 'revoke'; incident: string };

export function isMove(step: { do: string }): step is Move {
  return step.do === 'note' || step.do === 'terminate' || step.do === 'revoke';
}

type Destructive = 'terminate' | 'revoke';

const ACTIVE: ReadonlySet<IncidentPhase> = new Set(['Confirmed', 'Contained', 'Eradicated']);

/**
 * What is to be done next for one incident by the six steps. Pure. What only looks is done at once and again when the
 * evidence changes; what destroys waits for containment, and for people unless the policy says auto.
 */
export function planPlaybook(incident: Incident, policy: Policy): Move[] {
  const { status, spec } = incident;
  if (!status || !ACTIVE.has(status.phase) || spec.dismissed !== undefined) return [];
  const name = incident.metadata.name ?? '';
  const next = PLAYBOOK.flatMap((step) => planStep(step, incident, policy) ?? []);
  const notes = next.filter((each) => typeof each !== 'string');
  const deeds = next.filter((each) => typeof each === 'string');
  return [
    ...(notes.length > 0
      ? [
          {
            do: 'note' as const,
            incident: name,
            notes,
            isAgain: notes.every((note) => isTold(note, incident)),
          },
        ]
      : []),
    ...deeds.map((deed) => ({ do: deed, incident: name })),
  ];
}

function isTold({ step }: Note, { status }: Incident): boolean {
  return status !== undefined && stepOf(status, step)?.state === 'Done';
}

function planStep(step: PlaybookStep, incident: Incident, policy: Policy): Note | Destructive | undefined {
  const name = incident.metadata.name ?? '';
  const before = incident.status && stepOf(incident.status, step);
  const record = (state: Outcome['state'], message: string): Note | undefined =>
    before?.state === state && before.message === message ? undefined : { step, outcome: { state, message } };
  if (policy.stepMode(step) === 'off') {
    return before?.state === 'Done' ? undefined : record('Skipped', 'The policy says off.');
  }
  if (step !== 'terminate' && step !== 'revoke') {
    if (step === 'report' && !isOver(incident)) return undefined;
    const basis = basisOf(incident);
    const isCurrent = before?.state === 'Done' && before.basis === basis && !lacksAccounts(step, incident);
    return isCurrent ? undefined : { step, basis };
  }
  if (before?.state === 'Done') return undefined;
  if (incident.spec.namespace === '') {
    return record(
      'Skipped',
      'A process of the node itself has no owner in the cluster: people clean the node.',
    );
  }
  if (!isApproved(step, incident, policy)) {
    return record(
      'AwaitingApproval',
      `To do: kubectl kubesentry approve ${name} ${step}. ${step === 'terminate' ? ownerOf(incident) : accountsOf(incident)}`,
    );
  }
  // Pods that still run would be given new tokens.
  if (step === 'revoke' && !isBehind('terminate', incident)) {
    return record('AwaitingApproval', 'It waits for the step terminate.');
  }
  return step;
}

/** Protected namespaces carry the cluster: nothing there is destroyed without a human. */
function isApproved(step: Destructive, { spec, status }: Incident, policy: Policy): boolean {
  if (spec.approvals?.includes(step)) return true;
  if (policy.stepMode(step) !== 'auto' || PROTECTED_NAMESPACES.includes(spec.namespace)) return false;
  return status?.phase !== 'Confirmed';
}

/** Everything that destroys is done or will not be. */
function isOver(incident: Incident): boolean {
  return isBehind('terminate', incident) && isBehind('revoke', incident);
}

function isBehind(step: PlaybookStep, { status }: Incident): boolean {
  const state = status && stepOf(status, step)?.state;
  return state === 'Done' || state === 'Skipped';
}

/** Whoever leads may not have heard of its pods yet when it looked. */
function lacksAccounts(step: PlaybookStep, { status }: Incident): boolean {
  const isAsked =
    step === 'blastRadius' && status !== undefined && stepOf(status, 'revoke')?.state === 'Failed';
  return isAsked && (status.serviceAccounts ?? []).length === 0;
}

function ownerOf({ spec }: Incident): string {
  return `It deletes ${spec.workload.kind} ${spec.namespace}/${spec.workload.name} and then its pods.`;
}

function accountsOf({ spec, status }: Incident): string {
  const names = status?.serviceAccounts ?? [];
  const which = names.length > 0 ? names.join(', ') : 'the service accounts of its pods';
  return `It makes ${which} in ${spec.namespace} anew, so that tokens die.`;
}

const BASES = new WeakMap<object, string>();

/** Short hash of the evidence that the steps that look go by. */
function basisOf({ status }: Incident): string {
  if (!status) return '';
  const known = BASES.get(status);
  if (known !== undefined) return known;
  const { detections, pods, nodes, fingerprint, attribution } = status;
  const text = JSON.stringify([detections, pods, nodes, fingerprint, attribution]);
  const basis = createHash('sha256').update(text).digest('hex').slice(0, 8);
  BASES.set(status, basis);
  return basis;
}
