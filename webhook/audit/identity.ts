import type { Actor, Fact } from './fact.ts';

/**
 * Service accounts of kube-controller-manager that make objects on behalf of an owner. A closed list: RBAC Buster hid
 * behind a `kube-controller` in kube-system, so neither the namespace nor the ending of a name means anything.
 * Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go.
 */
const MAKERS = accounts(
  'cronjob-controller daemon-set-controller deployment-controller job-controller replicaset-controller ' +
    'replication-controller statefulset-controller',
);

/** The others of the same list: they clean, bind, count and publish. */
const KEEPERS = accounts(
  'attachdetach-controller bootstrap-signer certificate-controller clusterrole-aggregation-controller ' +
    'disruption-controller endpoint-controller endpointslice-controller endpointslicemirroring-controller ' +
    'ephemeral-volume-controller expand-controller generic-garbage-collector horizontal-pod-autoscaler ' +
    'legacy-service-account-token-cleaner namespace-controller node-controller persistent-volume-binder ' +
    'pod-garbage-collector pv-protection-controller pvc-protection-controller resource-claim-controller ' +
    'resourcequota-controller root-ca-cert-publisher route-controller service-account-controller ' +
    'service-cidrs-controller service-controller taint-eviction-controller token-cleaner ' +
    'ttl-after-finished-controller ttl-controller validatingadmissionpolicy-status-controller volumeattributesclass-protection-controller',
);

const CONTROL_PLANE: ReadonlySet<string> = new Set([
  'system:apiserver',
  'system:kube-controller-manager',
  'system:kube-scheduler',
]);

/** Makes objects for the author of their owner: who made the owner is who did it. */
export function isMaker(user: string): boolean {
  return MAKERS.has(user) || user === 'system:kube-controller-manager';
}

/** A part of Kubernetes itself, kubelets included: never an attacker by what its account does all day. */
export function isClusterPart({ user, groups }: Actor): boolean {
  return MAKERS.has(user) || KEEPERS.has(user) || CONTROL_PLANE.has(user) || groups.includes('system:nodes');
}

export function isAnonymous({ user, groups }: Actor): boolean {
  return user === 'system:anonymous' || groups.includes('system:unauthenticated');
}

/** Namespace and name of a service account. */
export function serviceAccountOf(user: string): { namespace: string; name: string } | undefined {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

/** Names by which a binding can mean this actor; groups of everybody left out, since they single out nobody. */
export function principalsOf({ user, groups }: Actor): ReadonlySet<string> {
  return new Set([user, ...groups.filter((group) => group !== 'system:authenticated')]);
}

/** Whether the API server let it through; a code that is not known counts, since the stage may be missing. */
export function succeeded({ code, decision }: Fact): boolean {
  return decision !== 'forbid' && (code === 0 || code < 400);
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function accounts(names: string): ReadonlySet<string> {
  return new Set(names.split(' ').map((name) => `system:serviceaccount:kube-system:${name}`));
}
