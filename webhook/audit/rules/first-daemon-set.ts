import { LRUCache } from 'lru-cache';
import { isAnonymous, isClusterPart, serviceAccountOf, succeeded } from '../identity.ts';
import { isWorkloadWrite } from '../workload.ts';
import { type Remark, type Rule, what, who } from './finding.ts';

const USERS = 10_000;

/**
 * A DaemonSet by somebody who never made one. By itself that is how every tool is installed once; from a service
 * account that never deployed anything it is how a stolen token is used.
 */
export function firstDaemonSet(): Rule {
  const seen = new LRUCache<string, { workloads: boolean; daemonSets: boolean }>({ max: USERS });
  return (fact): Remark | undefined => {
    const { actor, target, verb } = fact;
    if (!isWorkloadWrite(fact) || isClusterPart(actor) || !succeeded(fact)) return undefined;
    const before = seen.get(actor.user) ?? { workloads: false, daemonSets: false };
    const isDaemonSet = target.resource === 'daemonsets';
    seen.set(actor.user, { workloads: true, daemonSets: before.daemonSets || isDaemonSet });
    if (!isDaemonSet || before.daemonSets || verb !== 'create') return undefined;
    const stranger = serviceAccountOf(actor.user) !== undefined && !before.workloads;
    return {
      severity: isAnonymous(actor) ? 'high' : stranger ? 'medium' : 'low',
      message: `${who(fact)} made ${what(fact)}, the first DaemonSet of this identity.`,
    };
  };
}
