import type { Severity } from '../../../api/finding.ts';
import { BREAK_GLASS_GROUP, GROUP, SYSTEM_NAMESPACE, WEBHOOK_USER } from '../../../api/names.ts';
import { CONFIGURATION_NAME } from '../../configuration.ts';
import type { Fact } from '../fact.ts';
import { isClusterPart, succeeded } from '../identity.ts';
import { WRITES } from '../verbs.ts';
import { type Rule, what, who } from './finding.ts';

/** Cluster-scoped objects that Kubesentry is made of, by resource. */
const OURS: Readonly<Record<string, (name: string) => boolean>> = {
  validatingwebhookconfigurations: (name) => name === CONFIGURATION_NAME,
  validatingadmissionpolicies: (name) => name.startsWith('kubesentry-'),
  validatingadmissionpolicybindings: (name) => name.startsWith('kubesentry-'),
  customresourcedefinitions: (name) => name.endsWith(`.${GROUP}`),
  clusterroles: (name) => name.startsWith('kubesentry-'),
  clusterrolebindings: (name) => name.startsWith('kubesentry-'),
};

/** What runs in our namespace. */
const PROGRAMS: ReadonlySet<string> = new Set(['daemonsets', 'deployments', 'sentrypolicies']);

/**
 * Somebody touched what protects the cluster. An upgrade looks the same, so that only deletion and scaling down are
 * critical; whoever may overrule us is said so with low severity.
 */
export const protectionChanged: Rule = (fact) => {
  const { actor, verb } = fact;
  if (!WRITES.has(verb) || actor.user === WEBHOOK_USER || isClusterPart(actor)) return undefined;
  const severity = severityOf(fact);
  if (severity === undefined) return undefined;
  const allowed = actor.groups.includes(BREAK_GLASS_GROUP) ? 'low' : severity;
  const tried = succeeded(fact) ? '' : ', which was refused';
  const labels = fact.target.resource === 'namespaces' ? ` (labels ${fact.details.labels})` : '';
  return {
    severity: succeeded(fact) ? allowed : 'medium',
    message: `${who(fact)} sent ${verb} of ${what(fact)}${labels}${tried}.`,
  };
};

function severityOf({ verb, target, details, code }: Fact): Severity | undefined {
  const { resource, subresource, namespace, name } = target;
  // Server-side apply is a patch, also of what it makes: installing us is no tampering.
  const makes = verb === 'create' || (verb === 'patch' && code === 201);
  if (resource === 'namespaces') {
    if (verb === 'delete') return name === SYSTEM_NAMESPACE ? 'critical' : undefined;
    return touchesOurLabels(details.labels ?? '') ? 'high' : undefined;
  }
  const destroys = verb === 'delete' || verb === 'deletecollection' || subresource === 'scale';
  if (namespace === SYSTEM_NAMESPACE && PROGRAMS.has(resource)) {
    // Settings are changed by people; the programs are changed by upgrades.
    if (resource === 'sentrypolicies') return 'medium';
    return subresource === 'status' || makes ? undefined : destroys ? 'critical' : 'high';
  }
  const ours = OURS[resource];
  if (!ours || subresource !== '' || makes) return undefined;
  // A collection has no name, and ours is in it.
  if (verb === 'deletecollection') return 'critical';
  return ours(name) ? (destroys ? 'critical' : 'high') : undefined;
}

/** Keys, separated by commas. */
function touchesOurLabels(labels: string): boolean {
  return labels.split(/[\s,;]+/).some((key) => key.startsWith(`${GROUP}/`));
}
