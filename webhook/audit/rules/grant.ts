import type { Severity } from '../../../api/finding.ts';
import type { Fact } from '../fact.ts';
import { isClusterPart, succeeded } from '../identity.ts';
import { isGrant, subjectsOf } from '../way-in.ts';
import { type Rule, who } from './finding.ts';

/** Everybody, or everybody who has any credential at all. */
const EVERYBODY: ReadonlySet<string> = new Set([
  'system:anonymous',
  'system:unauthenticated',
  'system:authenticated',
  'system:serviceaccounts',
]);

/**
 * `system:` names that installers give: kubeadm, the charts of metrics-server and kube-state-metrics, the cloud
 * providers. Names below `system:controller:` are the API server's own; RBAC Buster hid there.
 */
const INSTALLED =
  /^system:(coredns|kube-dns|metrics-server|kube-state-metrics|node-proxier|konnectivity-server|cloud-|azure-|gke-|aws-|eks-|addon-)/;

/** A binding that gives the whole cluster away, or that pretends to be one of Kubernetes' own. */
export const powerfulGrant: Rule = (fact) => {
  if (!isGrant(fact) || !succeeded(fact) || isClusterPart(fact.actor)) return undefined;
  const { role = '' } = fact.details;
  const severity = severityOf(fact, role);
  if (severity === undefined) return undefined;
  const subjects = subjectsOf(fact).join(', ') || 'subjects that the event does not name';
  const where = fact.target.namespace === '' ? 'in the whole cluster' : `in ${fact.target.namespace}`;
  return {
    severity,
    message: `${who(fact)} bound ${role || 'a role'} to ${subjects} ${where} (${fact.target.name}).`.slice(
      0,
      1024,
    ),
  };
};

function severityOf(fact: Fact, role: string): Severity | undefined {
  const { name, resource } = fact.target;
  const everybody = subjectsOf(fact).find((subject) => EVERYBODY.has(subject));
  const isAdmin = role === 'cluster-admin';
  if (everybody !== undefined && isAdmin) return 'critical';
  if (everybody === 'system:anonymous' || everybody === 'system:unauthenticated') {
    return isPublicRole(role) ? undefined : 'critical';
  }
  if (name.startsWith('system:controller:')) return 'high';
  if (isAdmin) return resource === 'clusterrolebindings' ? 'high' : 'medium';
  return name.startsWith('system:') && !INSTALLED.test(name) ? 'medium' : undefined;
}

/** Roles that are made to be given to everybody: discovery, and what kubeadm shows to joining nodes. */
function isPublicRole(role: string): boolean {
  return role === 'system:public-info-viewer' || role === 'kubeadm:bootstrap-signer-clusterinfo';
}
