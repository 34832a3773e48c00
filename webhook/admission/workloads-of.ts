import { WORKLOAD_KINDS } from '../../kube/workloads.ts';
import { controllerOf, topOwner } from '../top-owner.ts';
import type { Facts } from './gate.ts';
import { KEEPERS } from './requester.ts';
import type { AdmissionRequest } from './review.ts';

/**
 * The workloads, as Kind/name, that a request is about: the object, what owns it, and for a subresource of a pod the
 * workload of that pod.
 */
export function workloadsOf(request: AdmissionRequest, facts: Facts): string[] {
  const { kind, name, namespace, resource, subResource, object } = request;
  if (resource.resource === 'pods' && subResource !== '') {
    const pod = facts.podNamed(namespace, name);
    return [`Pod/${name}`, ...(pod ? [`${pod.workload.kind}/${pod.workload.name}`] : [])];
  }
  const metadata = object?.metadata ?? {};
  const self = { kind: subResource === 'scale' ? kindOfScaled(resource.resource) : kind.kind, name };
  const owner = controllerOf(metadata);
  const top = topOwner(self, metadata);
  return [self, ...(owner ? [owner] : []), top].map((each) => `${each.kind}/${each.name}`);
}

/**
 * The same for who asks to be spared: an owner of the kinds of Kubernetes counts where their controllers made the object,
 * or where it was there before. Whoever makes a pod could write any into it.
 */
export function provenWorkloadsOf(request: AdmissionRequest, facts: Facts): string[] {
  const { kind, name, object, oldObject, userInfo } = request;
  const owner = controllerOf(object?.metadata);
  const isProven =
    !owner ||
    !OWNERS.has(owner.kind) ||
    KEEPERS.includes(userInfo.username) ||
    controllerOf(oldObject?.metadata)?.uid === owner.uid;
  return isProven ? workloadsOf(request, facts) : [`${kind.kind}/${name}`];
}

const OWNERS: ReadonlySet<string> = new Set(WORKLOAD_KINDS.map(({ kind }) => kind));

const SCALED: Record<string, string> = {
  deployments: 'Deployment',
  replicasets: 'ReplicaSet',
  statefulsets: 'StatefulSet',
  replicationcontrollers: 'ReplicationController',
};

function kindOfScaled(resource: string): string {
  return SCALED[resource] ?? '';
}
