import type { Severity } from '../../../api/finding.ts';
import type { Indicators } from '../../../detection/indicators.ts';
import type { PodIndex } from '../../pod-index.ts';
import type { Fact } from '../fact.ts';

/** Every rule about audit facts, with what to do about it. Ids are stable: dashboards and incidents name them. */
export const AUDIT_RULES = {
  'anonymous-allowed':
    'Find the binding that names system:anonymous or system:unauthenticated, delete it, and look at what the address did.',
  'powerful-grant':
    'If nobody of yours did this, delete the binding and look at what its subjects did since.',
  'exec-download':
    'Look at the pod: what was fetched may run there. Delete the pod if nobody of yours did this.',
  'first-daemon-set': 'Ask whoever sent it; a DaemonSet reaches every node.',
  'node-proxy':
    'Take nodes/proxy from this identity: through it commands run in every pod of a node, unseen by audit.',
  'protection-changed':
    'If this was no upgrade of yours, apply the manifests of Kubesentry again and find who did it.',
  'failed-open':
    'Nothing to do about the object: it was judged afterwards. Look why the webhook did not answer in time.',
  'borrowed-token':
    'Delete the pod that the token belongs to and make its service account anew: somebody took the token out.',
  'secrets-burst': 'Rotate what was read, if nobody of yours did this.',
} as const;

export type AuditRule = keyof typeof AUDIT_RULES;

/** What a rule says about a fact. */
export interface Remark {
  severity: Severity;
  /** One sentence. */
  message: string;
}

/** One rule that matched one fact. */
export interface AuditFinding extends Remark {
  rule: AuditRule;
  remedy: string;
  fact: Fact;
}

/** What is known beside the fact. */
export interface Surroundings {
  indicators: Indicators;
  pods: Pick<PodIndex, 'byUid'>;
}

/** One reason to speak up. Pure where no window is needed; the others bound what they remember. */
export type Rule = (fact: Fact, surroundings: Surroundings) => Remark | undefined;

/** Who sent it, as messages begin. */
export function who({ actor, address }: Fact): string {
  const as = actor.impersonates ? ` as ${actor.impersonates}` : '';
  return `${actor.user}${as} from ${address || 'an unknown address'}`;
}

/** The object, as messages name it. */
export function what({ target }: Fact): string {
  const { resource, subresource, namespace, name } = target;
  const place = [namespace, name].filter(Boolean).join('/');
  return `${resource}${subresource ? `/${subresource}` : ''}${place ? ` ${place}` : ''}`;
}
