import { isAnonymous, succeeded } from '../identity.ts';
import { READS } from '../verbs.ts';
import { type Rule, what, who } from './finding.ts';

/** kubeadm join reads it before it has a credential (RBAC role kubeadm:bootstrap-signer-clusterinfo). */
const CLUSTER_INFO = 'kube-public/cluster-info';

/**
 * Somebody without any credential was let in. Paths without a resource (healthz, version, openid discovery) are meant
 * to be public.
 */
export const anonymousAllowed: Rule = (fact) => {
  const { actor, decision, target, verb } = fact;
  if (!isAnonymous(actor) || decision !== 'allow' || !succeeded(fact) || target.resource === '')
    return undefined;
  if (verb === 'get' && `${target.namespace}/${target.name}` === CLUSTER_INFO) return undefined;
  return {
    severity: READS.has(verb) && target.subresource === '' ? 'high' : 'critical',
    message: `${who(fact)} was allowed to ${verb} ${what(fact)} without any credential.`,
  };
};
