import { KubesentryError } from '../../../api/errors.ts';
import type { KubeObject, OwnerReference } from '../../../api/object.ts';
import type { Cluster } from '../../../kube/cluster.ts';
import type { Kind } from '../../../kube/kind.ts';
import { WORKLOAD_KINDS } from '../../../kube/workloads.ts';

export interface Owner {
  kind: Kind;
  object: KubeObject;
}

/** What makes the pods of a workload. */
export interface Owners {
  /** The top one first, each before what it owns. */
  found: Owner[];
  /** Those that may not be looked at, a sentence each. */
  hidden: string[];
}

/** Of owners above each other; more is nobody's design. */
const DEPTH = 8;

const KNOWN = new Map(WORKLOAD_KINDS.map((kind) => [kind.kind, kind]));

/**
 * Goes up from pods, and from the workload itself, to whatever owns them, custom kinds included: an owner that stays
 * would make again what is deleted below it. `apiVersion` of a custom kind is read off the references.
 */
export async function ownersOf(
  workload: { kind: string; name: string },
  pods: readonly KubeObject[],
  namespace: string,
  cluster: Cluster,
): Promise<Owners> {
  const seen = new Set<string>();
  const owners: Owners = { found: [], hidden: [] };
  const hide = (line: string) => {
    if (!owners.hidden.includes(line)) owners.hidden.push(line);
  };

  async function climb(kind: Kind, name: string, depth: number): Promise<void> {
    const key = `${kind.apiVersion}/${kind.kind}/${name}`;
    if (seen.has(key) || depth > DEPTH) return;
    seen.add(key);
    const object = await look(kind, name);
    if (!object) return;
    await climbFrom(object, depth);
    owners.found.push({ kind, object });
  }

  async function climbFrom({ metadata }: KubeObject, depth: number): Promise<void> {
    const reference = metadata.ownerReferences?.find(({ controller }) => controller === true);
    if (!reference) return;
    const kind = await kindOf(reference, cluster);
    if (kind?.namespaced) await climb(kind, reference.name, depth + 1);
    else if (kind) hide(left(kind.kind, reference.name, 'which is above namespaces'));
    else
      hide(
        left(reference.kind, `${namespace}/${reference.name}`, 'of a kind that this cluster does not have'),
      );
  }

  async function look(kind: Kind, name: string): Promise<KubeObject | undefined> {
    try {
      return await cluster.get(kind, { namespace, name });
    } catch (error) {
      if (!(error instanceof KubesentryError && error.code === 'KUBE_REFUSED')) throw error;
      hide(left(kind.kind, `${namespace}/${name}`, mayNot(kind)));
      return undefined;
    }
  }

  const own = KNOWN.get(workload.kind);
  if (own && workload.kind !== 'Pod') await climb(own, workload.name, 0);
  for (const pod of pods) await climbFrom(pod, 0);
  return owners;
}

/** How a line of evidence about something that people have to see to begins. */
export const LEFT = 'left to people: ';

/** A line of evidence about an owner that people have to see to. */
export function left(kind: string, name: string, why: string): string {
  return `${LEFT}${kind} ${name}, ${why}; its new pods are refused while the quarantine is in force`;
}

/** What to do about it. */
export function mayNot({ apiVersion, plural }: Kind): string {
  const [group] = apiVersion.split('/');
  return `which Kubesentry may not delete (grant get and delete on ${plural}.${group}: docs/response.md)`;
}

function kindOf({ apiVersion, kind }: OwnerReference, cluster: Cluster): Promise<Kind | undefined> {
  const known = KNOWN.get(kind);
  return known?.apiVersion === apiVersion ? Promise.resolve(known) : cluster.kindOf(apiVersion, kind);
}
