import { BREAK_GLASS_GROUP, PROTECTED_NAMESPACES, WEBHOOK_USER } from '../../api/names.ts';
import type { AdmissionRequest } from './review.ts';

/** Users of Kubernetes itself that must be able to finish a deletion (kube-controller-manager). */
const CLEANERS: ReadonlySet<string> = new Set([
  'system:serviceaccount:kube-system:namespace-controller',
  'system:serviceaccount:kube-system:generic-garbage-collector',
]);

/**
 * Parts of Kubernetes that bring back what ran before: without them a namespace that the cluster lives on would not
 * heal. The controller manager also asks for the tokens of its own controllers in kube-system.
 */
export const KEEPERS: readonly string[] = [
  'system:kube-controller-manager',
  'system:kube-scheduler',
  'system:serviceaccount:kube-system:cronjob-controller',
  'system:serviceaccount:kube-system:daemon-set-controller',
  'system:serviceaccount:kube-system:deployment-controller',
  'system:serviceaccount:kube-system:job-controller',
  'system:serviceaccount:kube-system:replicaset-controller',
  'system:serviceaccount:kube-system:replication-controller',
  'system:serviceaccount:kube-system:statefulset-controller',
];

type UserInfo = AdmissionRequest['userInfo'];

/** Kubesentry itself, or somebody whom the cluster's owner lets overrule it. */
export function mayOverrule({ username, groups }: UserInfo): boolean {
  return username === WEBHOOK_USER || groups.includes(BREAK_GLASS_GROUP);
}

/** Deletes what belonged to something deleted before. */
export function isCleaner({ username }: UserInfo): boolean {
  return CLEANERS.has(username);
}

/** Whether refusing it could lock the cluster: somebody whom it needs, where it lives. In CEL: quarantine-policy.ts. */
export function keepsTheCluster({ namespace, userInfo }: AdmissionRequest): boolean {
  if (!PROTECTED_NAMESPACES.includes(namespace)) return false;
  return isNode(userInfo) || KEEPERS.includes(userInfo.username);
}

/** A kubelet. */
export function isNode({ groups }: UserInfo): boolean {
  return groups.includes('system:nodes');
}

/** A mirror pod shows what a kubelet runs from a file on its disk; refusing it stops nothing and hides it. */
export function isMirrorPod({ userInfo, kind, object }: AdmissionRequest): boolean {
  return isNode(userInfo) && kind.kind === 'Pod' && 'kubernetes.io/config.mirror' in annotationsOf(object);
}

function annotationsOf(object: AdmissionRequest['object']): object {
  const annotations: unknown = object?.metadata?.annotations;
  return typeof annotations === 'object' && annotations !== null ? annotations : {};
}
