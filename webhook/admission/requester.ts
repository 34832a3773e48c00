import { BREAK_GLASS_GROUP, WEBHOOK_USER } from '../../api/names.ts';
import type { AdmissionRequest } from './review.ts';

/** Users of Kubernetes itself that must be able to finish a deletion (kube-controller-manager). */
const CLEANERS: ReadonlySet<string> = new Set([
  'system:serviceaccount:kube-system:namespace-controller',
  'system:serviceaccount:kube-system:generic-garbage-collector',
]);

type UserInfo = AdmissionRequest['userInfo'];

/** Kubesentry itself, or somebody whom the cluster's owner lets overrule it. */
export function mayOverrule({ username, groups }: UserInfo): boolean {
  return username === WEBHOOK_USER || groups.includes(BREAK_GLASS_GROUP);
}

/** Deletes what belonged to something deleted before. */
export function isCleaner({ username }: UserInfo): boolean {
  return CLEANERS.has(username);
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
