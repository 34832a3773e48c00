import { KubesentryError } from '../../../api/errors.ts';
import type { Incident } from '../../../api/incident.ts';
import type { KubeObject, OwnerReference } from '../../../api/object.ts';
import { parseImage } from '../../../detection/image.ts';
import { workloadView } from '../../../detection/workload.ts';
import type { Cluster } from '../../../kube/cluster.ts';
import type { Kind } from '../../../kube/kind.ts';
import { WORKLOAD_KINDS } from '../../../kube/workloads.ts';
import { possibleOwner } from '../../top-owner.ts';

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
  /** Those that pods only say they are made by, a line of evidence each. */
  spared: string[];
}

/** What detections say of where it mined. */
export interface Mined {
  /** As namespace/name. */
  pods: ReadonlySet<string>;
  containers: readonly MinedContainer[];
}

interface MinedContainer {
  name: string;
  image: string;
}

export function minedOf(status: Incident['status']): Mined {
  const containers = (status?.detections ?? []).flatMap(({ container }) => {
    const { name, image } = container ?? {};
    return name && image ? [{ name, image }] : [];
  });
  return { pods: new Set(status?.pods), containers };
}

/** Of owners above each other; more is nobody's design. */
const DEPTH = 8;

const KNOWN = new Map(WORKLOAD_KINDS.map((kind) => [kind.kind, kind]));

/**
 * Goes up from pods, and from the workload itself, to whatever owns them, custom kinds included: an owner that stays
 * would make again what is deleted below it. `apiVersion` of a custom kind is read off the references. Whoever makes a pod
 * writes into it who owns it: an owner whose template has none of the containers that mined, and one that no pod that
 * mined leads to, are spared. So is one that was spared before (a line of `told`): what showed it may be gone by now.
 */
export async function ownersOf(
  { workload, namespace }: Incident['spec'],
  pods: readonly KubeObject[],
  mined: Mined,
  told: readonly string[],
  cluster: Cluster,
): Promise<Owners> {
  const seen = new Set<string>();
  const owners: Owners = { found: [], hidden: [], spared: [] };
  const hide = (line: string) => {
    if (!owners.hidden.includes(line)) owners.hidden.push(line);
  };

  const spare = (kind: Kind, name: string, why: string) =>
    void owners.spared.push(`${SPARED}${kind.kind} ${namespace}/${name}: ${why}`);
  const wasSpared = (kind: Kind, name: string) => {
    const line = told.find((each) => each.startsWith(`${SPARED}${kind.kind} ${namespace}/${name}: `));
    if (line) owners.spared.push(line);
    return line !== undefined;
  };

  async function climb(kind: Kind, name: string, depth: number): Promise<void> {
    const key = keyOf(kind, name);
    if (seen.has(key) || depth > DEPTH) return;
    seen.add(key);
    const object = await look(kind, name);
    if (!object) return;
    if (wasSpared(kind, name)) return;
    if (!makesSuch(object, mined.containers)) {
      return spare(kind, name, 'its pods have no such container as those that mined');
    }
    await climbFrom(object, depth);
    owners.found.push({ kind, object });
  }

  async function climbFrom({ metadata }: KubeObject, depth: number): Promise<void> {
    const reference = possibleOwner(metadata);
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

  const hasMined = ({ metadata }: KubeObject) => mined.pods.has(`${namespace}/${metadata.name}`);
  const those = pods.filter(hasMined);
  for (const pod of those) await climbFrom(pod, 0);
  const own = workload.kind === 'Pod' ? undefined : KNOWN.get(workload.kind);
  const isReached = own && seen.has(keyOf(own, workload.name));
  if (own && !isReached && those.length === 0) await climb(own, workload.name, 0);
  else if (own && !isReached && !wasSpared(own, workload.name) && (await look(own, workload.name))) {
    spare(own, workload.name, 'it did not make the pods that mined, which are only named like its own');
  }
  if (owners.spared.length === 0) for (const pod of pods) await climbFrom(pod, 0);
  return owners;
}

/**
 * Whether a container that mined is one of the owner's template: by its name and the last part of its image, because
 * registries and tags are rewritten on the way by whatever mutates pods. True where neither is known.
 */
function makesSuch(owner: KubeObject, mined: readonly MinedContainer[]): boolean {
  const made = workloadView(owner)?.containers ?? [];
  if (made.length === 0 || mined.length === 0) return true;
  return mined.some(({ name, image }) =>
    made.some((each) => each.name === name && lastPart(each.image) === lastPart(image)),
  );
}

function lastPart(image: string): string {
  return parseImage(image)?.path.split('/').at(-1) ?? image;
}

function keyOf({ apiVersion, kind }: Kind, name: string): string {
  return `${apiVersion}/${kind}/${name}`;
}

/** How a line of evidence about an owner begins that has nothing to do with it. */
const SPARED = 'spared: ';

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
