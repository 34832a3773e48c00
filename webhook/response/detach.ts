import { KubesentryError } from '../../api/errors.ts';
import { DETACHED_LABELS, LABEL } from '../../api/names.ts';
import type { KubeObject, OwnerReference } from '../../api/object.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { everyObject } from '../../kube/every-object.ts';
import { KIND } from '../../kube/kind.ts';
import { WORKLOAD_KINDS } from '../../kube/workloads.ts';
import { isMirror, possibleOwner, workloadOfPod } from '../top-owner.ts';
import type { Effect } from './condition.ts';
import { type Labels, labelsToTake } from './service-labels.ts';

/** Type of the condition that says how far Services no longer lead to what is contained. */
export const SERVICES_DETACHED = 'ServicesDetached';

const OWNERS = new Map(WORKLOAD_KINDS.map((kind) => [kind.kind, kind]));

/**
 * Takes the contained pods out of the Services that select them, so that users are sent to pods that answer. What was
 * taken from a pod is written on the pod itself, from where `reattach` puts it back whoever leads then.
 */
export async function detach(quarantine: Quarantine, cluster: Cluster): Promise<Effect> {
  const { metadata, spec } = quarantine;
  const { namespace } = spec;
  const name = metadata.name ?? '';
  const services = (await all(cluster, 'Service', namespace)).map((service) => ({
    name: service.metadata.name ?? '',
    selector: ((service.spec ?? {}) as { selector?: Labels }).selector ?? {},
  }));
  const ownerKeys = new Map<string, Promise<ReadonlySet<string> | undefined>>();
  const keysOf = (owner: OwnerReference | undefined) => {
    const key = `${owner?.kind}/${owner?.name}`;
    const keys = ownerKeys.get(key) ?? selectorKeys(owner, namespace, cluster);
    ownerKeys.set(key, keys);
    return keys;
  };
  let detached = 0;
  const left = new Set<string>();
  for (const pod of await all(cluster, 'Pod', namespace)) {
    if (!isContained(pod, quarantine)) continue;
    const keys = await keysOf(possibleOwner(pod.metadata));
    const labels = pod.metadata.labels ?? {};
    // An owner of a kind that we do not know selects by who knows what.
    const { taken, kept } = labelsToTake(labels, services, keys ?? new Set(Object.keys(labels)));
    for (const service of kept) left.add(service);
    if (LABEL.detached in labels || Object.keys(taken).length > 0) detached++;
    // Whoever makes a pod may have written there that this was done.
    if (Object.keys(taken).length > 0) {
      const before = labelsOn(pod.metadata.annotations?.[DETACHED_LABELS]);
      await take(pod, { ...before, ...taken }, name, cluster);
    }
  }
  const pods = `${detached} pod${detached === 1 ? '' : 's'}`;
  const isDone = left.size === 0;
  return {
    type: SERVICES_DETACHED,
    status: isDone ? 'True' : 'False',
    reason: isDone ? 'LabelsTaken' : 'OwnersNeedTheLabels',
    message: isDone
      ? `No Service selects what is contained; labels were taken from ${pods}.`
      : `Labels were taken from ${pods}; by labels that their owners need as well, these Services still select ` +
        `some: ${[...left].sort().slice(0, 8).join(', ')}. What is sent there is not answered.`,
  };
}

/**
 * Puts back what `detach` took. Whoever may label pods can have written anything there: what the API server does not
 * take is dropped with the note.
 */
export async function reattach({ metadata }: KubeObject, cluster: Cluster): Promise<void> {
  const { name = '', namespace, uid, annotations } = metadata;
  const withLabels = (taken: Labels) =>
    cluster.patch(
      KIND.Pod,
      { name, namespace },
      {
        metadata: {
          uid,
          labels: { ...taken, [LABEL.detached]: null },
          annotations: { [DETACHED_LABELS]: null },
        },
      },
    );
  await withLabels(labelsOn(annotations?.[DETACHED_LABELS])).catch((error: unknown) => {
    if (!(error instanceof KubesentryError && error.code === 'KUBE_REFUSED')) throw error;
    return withLabels({});
  });
}

/** Whether a Quarantine is about this pod: one of the workload, or of the whole namespace. */
export function isAbout({ spec }: Quarantine, pod: KubeObject): boolean {
  if (spec.namespace !== pod.metadata.namespace) return false;
  if (!spec.workload) return true;
  const owner = workloadOfPod(pod);
  return owner.kind === spec.workload.kind && owner.name === spec.workload.name;
}

function isContained(pod: KubeObject, quarantine: Quarantine): boolean {
  const { metadata } = pod;
  return !isMirror(metadata) && metadata.deletionTimestamp === undefined && isAbout(quarantine, pod);
}

/** With the uid: another pod of that name must not get the note. */
async function take(
  { metadata }: KubeObject,
  taken: Labels,
  quarantine: string,
  cluster: Cluster,
): Promise<void> {
  const { name = '', namespace, uid } = metadata;
  const absent = Object.fromEntries(Object.keys(taken).map((key) => [key, null]));
  await cluster.patch(
    KIND.Pod,
    { name, namespace },
    {
      metadata: {
        uid,
        labels: { ...absent, [LABEL.detached]: quarantine },
        annotations: { [DETACHED_LABELS]: JSON.stringify(taken) },
      },
    },
  );
}

/** Keys of the labels by which an owner knows its pods; undefined where that cannot be known. */
async function selectorKeys(
  owner: OwnerReference | undefined,
  namespace: string,
  cluster: Cluster,
): Promise<ReadonlySet<string> | undefined> {
  if (!owner) return new Set();
  const kind = OWNERS.get(owner.kind);
  const found = kind && (await cluster.get(kind, { namespace, name: owner.name }));
  if (!found) return undefined;
  const { selector = {} } = (found.spec ?? {}) as { selector?: Record<string, unknown> };
  // That of a ReplicationController is the labels themselves.
  if (owner.kind === 'ReplicationController') return new Set(Object.keys(selector));
  const { matchLabels = {}, matchExpressions = [] } = selector as {
    matchLabels?: Labels;
    matchExpressions?: { key: string }[];
  };
  return new Set([...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)]);
}

async function all(cluster: Cluster, kind: 'Pod' | 'Service', namespace: string): Promise<KubeObject[]> {
  const objects: KubeObject[] = [];
  for await (const object of everyObject(cluster, KIND[kind], namespace)) objects.push(object);
  return objects;
}

function labelsOn(note: string | undefined): Labels {
  try {
    const labels: unknown = JSON.parse(note ?? '{}');
    if (typeof labels !== 'object' || labels === null) return {};
    return Object.fromEntries(Object.entries(labels).filter(([, value]) => typeof value === 'string'));
  } catch {
    return {};
  }
}
