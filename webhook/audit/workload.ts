import type { WorkloadRef } from '../../api/detection.ts';
import type { Kind } from '../../kube/kind.ts';
import { WORKLOAD_KINDS } from '../../kube/workloads.ts';
import type { Fact, Target } from './fact.ts';

const BY_RESOURCE = new Map(WORKLOAD_KINDS.map((kind) => [kind.plural, kind]));
const BY_KIND = new Map(WORKLOAD_KINDS.map((kind) => [kind.kind, kind]));

/** A workload in its namespace. */
export interface PlacedWorkload extends WorkloadRef {
  namespace: string;
}

export function kindOfResource(resource: string): Kind | undefined {
  return BY_RESOURCE.get(resource);
}

export function kindNamed(kind: string): Kind | undefined {
  return BY_KIND.get(kind);
}

/** Resource of a kind; what other operators bring is guessed as Kubernetes forms it (meta.UnsafeGuessKindToResource). */
export function resourceOf(kind: string): string {
  const known = BY_KIND.get(kind);
  if (known) return known.plural;
  const lower = kind.toLowerCase();
  if (/(s|x|ch|sh)$/.test(lower)) return `${lower}es`;
  return lower.endsWith('y') ? `${lower.slice(0, -1)}ies` : `${lower}s`;
}

const CHANGES: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'apply']);

/** Whether it brings an object into being or changes what it is; status and scale do not. */
export function isTemplateWrite({ verb, target: { subresource } }: Fact): boolean {
  return CHANGES.has(verb) && (subresource === '' || subresource === 'ephemeralcontainers');
}

/** The same of an object that comes to run as pods. */
export function isWorkloadWrite(fact: Fact): boolean {
  return isTemplateWrite(fact) && (BY_RESOURCE.has(fact.target.resource) || fact.images.length > 0);
}

/**
 * The workload that people know the object by, as topOwner says it, from what a fact keeps of it: names that the
 * Deployment and the CronJob controller make are undone. Undefined where the name was not made yet and nothing owns it.
 */
export function workloadOf({ target }: Pick<Fact, 'target'>): PlacedWorkload | undefined {
  const { namespace } = target;
  const owner = ownerOf(target);
  if (owner) return { namespace, ...owner };
  const kind = BY_RESOURCE.get(target.resource)?.kind ?? target.resource;
  return target.name === '' ? undefined : { namespace, kind, name: target.name };
}

function ownerOf({ owner }: Target): WorkloadRef | undefined {
  const [, kind, name] = /^([^/]+)\/(.+)$/.exec(owner ?? '') ?? [];
  if (kind === undefined || name === undefined) return undefined;
  // Letters and digits of rand.SafeEncodeString (k8s.io/apimachinery/pkg/util/rand).
  const [, deployment] =
    (kind === 'ReplicaSet' && /^(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}$/.exec(name)) || [];
  if (deployment !== undefined) return { kind: 'Deployment', name: deployment };
  const [, cronJob] = (kind === 'Job' && /^(.+)-\d{8,}$/.exec(name)) || [];
  return cronJob === undefined ? { kind, name } : { kind: 'CronJob', name: cronJob };
}

export function keyOf({ namespace, kind, name }: PlacedWorkload): string {
  return `${namespace}/${kind}/${name}`;
}
