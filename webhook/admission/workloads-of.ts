import { topOwner } from '../top-owner.ts';
import type { Facts } from './gate.ts';
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
  const owner = metadata.ownerReferences?.find?.((reference) => reference?.controller === true);
  const top = topOwner(self, metadata);
  return [self, ...(owner ? [owner] : []), top].map((each) => `${each.kind}/${each.name}`);
}

const SCALED: Record<string, string> = {
  deployments: 'Deployment',
  replicasets: 'ReplicaSet',
  statefulsets: 'StatefulSet',
  replicationcontrollers: 'ReplicationController',
};

function kindOfScaled(resource: string): string {
  return SCALED[resource] ?? '';
}
