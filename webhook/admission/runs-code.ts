import { isDeepStrictEqual } from 'node:util';
import { QUARANTINE_NETWORK_POLICY } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { workloadView } from '../../detection/workload.ts';
import { isCleaner, isNode } from './requester.ts';
import type { AdmissionRequest } from './review.ts';

/** Subresources through which code comes into a pod that exists, or a pod onto a node. */
const POD_SUBRESOURCES: ReadonlySet<string> = new Set([
  'exec',
  'attach',
  'portforward',
  'proxy',
  'ephemeralcontainers',
  'binding',
  'resize',
]);

/** Their controllers scale them down by plain updates. */
const SCALABLE: ReadonlySet<string> = new Set([
  'deployments',
  'replicasets',
  'statefulsets',
  'replicationcontrollers',
]);

/**
 * Whether a request makes something run, lets somebody in, or traffic out. Deletions never do, nor does an update that leaves
 * what runs as it is or makes it less: controllers must be able to take finalizers off and to scale down, or
 * deletions would hang. quarantine-policy.ts says the same in CEL.
 */
export function runsCode(request: AdmissionRequest): boolean {
  const { operation, resource, subResource, object, oldObject } = request;
  if (resource.resource === 'networkpolicies') return opensNetwork(request);
  if (operation === 'DELETE') return false;
  if (resource.resource === 'pods' && subResource !== '') return POD_SUBRESOURCES.has(subResource);
  // A web shell in a pod would be asked through the API server.
  if (resource.resource === 'services') return subResource === 'proxy';
  if (subResource === 'scale') return replicasOf(object, 0) > replicasOf(oldObject, 0);
  // The kubelet renews the tokens of pods that run already; it asks for no others.
  if (subResource === 'token') return !isNode(request.userInfo);
  if (subResource !== '') return false;
  if (resource.resource === 'bindings') return true;
  if (leavesRunning(request)) return false;
  return workloadView(object) !== undefined;
}

/**
 * Whether an update leaves what runs as it is, or makes it less. What was there before Kubesentry has to let go of its
 * finalizers and to scale down, or it could never be deleted; the background scan tells about it.
 */
export function leavesRunning({ operation, resource, object, oldObject }: AdmissionRequest): boolean {
  if (operation !== 'UPDATE' || !object || !oldObject) return false;
  return startsNothing(resource.resource, object, oldObject);
}

/** Policies add up, so that taking any but ours away opens nothing. */
function opensNetwork({ operation, oldObject, userInfo }: AdmissionRequest): boolean {
  if (operation !== 'DELETE') return true;
  return oldObject?.metadata?.name === QUARANTINE_NETWORK_POLICY && !isCleaner(userInfo);
}

function startsNothing(resource: string, object: KubeObject, before: KubeObject): boolean {
  // A pod can read its own labels and annotations into a command line (downward API).
  if (resource === 'pods') return isDeepStrictEqual(substanceOf(object), substanceOf(before));
  if (isDeepStrictEqual(withoutMetadata(object), withoutMetadata(before))) return true;
  if (!SCALABLE.has(resource)) return false;
  const [next, last] = [specOf(object), specOf(before)];
  const isSame = next.template !== undefined && isDeepStrictEqual(next.template, last.template);
  return isSame && replicasOf(object, 1) <= replicasOf(before, 1);
}

function substanceOf(object: KubeObject): object {
  const { labels = {}, annotations = {} } = object.metadata ?? {};
  return { ...withoutMetadata(object), labels, annotations };
}

function withoutMetadata({ metadata: _, status: __, ...rest }: KubeObject): object {
  return rest;
}

function specOf(object: KubeObject | undefined): Record<string, unknown> {
  const spec = object?.spec;
  return typeof spec === 'object' && spec !== null ? (spec as Record<string, unknown>) : {};
}

function replicasOf(object: KubeObject | undefined, absent: number): number {
  const { replicas } = specOf(object);
  return typeof replicas === 'number' ? replicas : absent;
}
