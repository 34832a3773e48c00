import type { WorkloadRef } from '../api/detection.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../api/object.ts';

/** Of kinds there can be (RFC 1035 label, as CustomResourceDefinitions want it), and of names (RFC 1123 subdomain). */
const KIND = /^[A-Za-z][A-Za-z0-9]{0,62}$/;
const NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Group, if it has one, and version (RFC 1123 subdomain and label). */
const API_VERSION = /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[a-z0-9]{1,63}$/;

/** Whether a pod shows what a kubelet runs from a file on its disk: changing or deleting it changes nothing there. */
export function isMirror({ annotations }: ObjectMeta): boolean {
  return annotations?.['kubernetes.io/config.mirror'] !== undefined;
}

/** The owner that controls an object, as the object says; whatever somebody wrote in the place of the list. */
export function controllerOf(metadata: ObjectMeta | undefined): OwnerReference | undefined {
  const references: unknown = metadata?.ownerReferences;
  if (!Array.isArray(references)) return undefined;
  return references.find((reference: OwnerReference | null) => reference?.controller === true);
}

/**
 * The same where there can be such an owner. What somebody wrote there becomes a path of the API server, which answers
 * `..`, `a/b` and `../healthz` with something else than an object or its absence.
 */
export function possibleOwner(metadata: ObjectMeta | undefined): OwnerReference | undefined {
  const owner = controllerOf(metadata);
  const isPossible =
    owner && isText(owner.kind, KIND) && isText(owner.name, NAME) && isText(owner.apiVersion, API_VERSION);
  return isPossible ? owner : undefined;
}

/**
 * The workload that people know a pod by. Names that the Deployment and the CronJob controller make are undone
 * (kubernetes/pkg/controller: NAME-<pod-template-hash>, NAME-<minutes since the epoch>), so that no ReplicaSet and
 * no Job has to be looked up. Ownership is what the object says of itself: context, never a pass. The API server takes
 * any text as kind and name of an owner: what no kind and no name can be owns nothing. A static pod belongs to its node,
 * and is a workload of its own: the others there have nothing to do with it.
 */
export function topOwner(self: WorkloadRef, metadata: ObjectMeta): WorkloadRef {
  const owner = controllerOf(metadata);
  if (!owner || !isText(owner.kind, KIND) || !isText(owner.name, NAME)) return self;
  if (owner.kind === 'Node') return self;
  if (owner.kind === 'ReplicaSet') {
    const hash: unknown = metadata.labels?.['pod-template-hash'];
    if (typeof hash === 'string' && hash !== '' && owner.name.endsWith(`-${hash}`)) {
      return { kind: 'Deployment', name: owner.name.slice(0, -hash.length - 1) };
    }
  }
  if (owner.kind === 'Job') {
    const [, cronJob] = /^(.+)-\d{8,}$/.exec(owner.name) ?? [];
    if (cronJob) return { kind: 'CronJob', name: cronJob };
  }
  return { kind: owner.kind, name: owner.name };
}

/** The same for a pod; one that nothing owns is its own. */
export function workloadOfPod({ metadata }: KubeObject): WorkloadRef {
  return topOwner({ kind: 'Pod', name: metadata.name ?? '' }, metadata);
}

function isText(value: unknown, shape: RegExp): boolean {
  return typeof value === 'string' && shape.test(value);
}
