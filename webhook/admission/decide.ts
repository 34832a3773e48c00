import type { Verdict } from '../../api/finding.ts';
import { WEBHOOK_USER } from '../../api/names.ts';
import { ban } from './ban.ts';
import { execConnect } from './exec-connect.ts';
import type { Facts, Gate, Ruling } from './gate.ts';
import { guard } from './guard.ts';
import { policyGate } from './policy-gate.ts';
import { quarantine } from './quarantine.ts';
import { isMirrorPod } from './requester.ts';
import type { AdmissionRequest } from './review.ts';
import { rules } from './rules.ts';

export interface Decision {
  verdict: Verdict;
  /** The strongest reason; undefined when no gate has anything to say. */
  ruling?: Ruling;
}

/** Cheap and certain ones first: the first that refuses has the word. */
const GATES: readonly Gate[] = [guard, policyGate, quarantine, ban, rules, execConnect];

const WEIGHT: Record<Verdict, number> = { allow: 0, warn: 1, deny: 2 };

/** Judges one request. Pure: the same request and facts give the same decision. */
export function decide(request: AdmissionRequest, facts: Facts): Decision {
  // What Kubesentry itself writes starts nothing, and must get through to undo what it did.
  if (request.userInfo.username === WEBHOOK_USER) return { verdict: 'allow' };
  let strongest: Ruling | undefined;
  for (const gate of GATES) {
    const ruling = gate(request, facts);
    if (!ruling) continue;
    if (!strongest || WEIGHT[ruling.verdict] > WEIGHT[strongest.verdict]) strongest = ruling;
    if (ruling.verdict === 'deny') break;
  }
  if (!strongest) return { verdict: 'allow' };
  if (strongest.verdict === 'deny' && isMirrorPod(request)) strongest = { ...strongest, verdict: 'warn' };
  return { verdict: strongest.verdict, ruling: strongest };
}
