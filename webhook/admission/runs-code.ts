import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../../api/object.ts';
import { workloadView } from '../../detection/workload.ts';
import { isNode } from './requester.ts';
import type { AdmissionRequest } from './review.ts';

/** Subresources through which code comes into a pod that exists, or a pod onto a node. */
const POD_SUBRESOURCES: ReadonlySet<string> = new Set([
  'exec',
  'attach',
  'portforward',
  'ephemeralcontainers',
  'binding',
  'resize',
]);

/**
 * Whether a request makes something run, or lets somebody in. Deletions never do, nor does an update that leaves
 * what runs as it is: controllers must be able to take finalizers off and to report, or deletions would hang.
 */
export function runsCode(request: AdmissionRequest): boolean {
  const { operation, resource, subResource, object, oldObject } = request;
  if (operation === 'DELETE') return false;
  if (resource.resource === 'pods' && subResource !== '') return POD_SUBRESOURCES.has(subResource);
  if (subResource === 'scale') return replicas(object) > replicas(oldObject);
  // The kubelet renews the tokens of pods that run already; it asks for no others.
  if (subResource === 'token') return !isNode(request.userInfo);
  if (subResource !== '') return false;
  if (resource.resource === 'bindings') return true;
  if (operation === 'UPDATE' && leavesAsItIs(object, oldObject)) return false;
  return workloadView(object) !== undefined;
}

/** A pod can read its own annotations and labels into a command line (downward API), so these count as well. */
function leavesAsItIs(object: KubeObject | undefined, oldObject: KubeObject | undefined): boolean {
  if (!object || !oldObject) return false;
  return isDeepStrictEqual(substance(object), substance(oldObject));
}

function substance({ metadata, status: _, ...rest }: KubeObject): object {
  return { ...rest, labels: metadata?.labels ?? {}, annotations: metadata?.annotations ?? {} };
}

function replicas(scale: KubeObject | undefined): number {
  const spec = scale?.spec as { replicas?: unknown } | undefined;
  return typeof spec?.replicas === 'number' ? spec.replicas : 0;
}
