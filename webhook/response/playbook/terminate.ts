import type { Incident } from '../../../api/incident.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { Cluster } from '../../../kube/cluster.ts';
import { KIND } from '../../../kube/kind.ts';
import { WORKLOAD_KINDS } from '../../../kube/workloads.ts';
import { topOwner } from '../../top-owner.ts';
import { count } from './confirm.ts';
import { Evidence } from './evidence.ts';
import type { Outcome } from './outcome.ts';

/** Owners that we may delete; what another operator owns is named for people. */
const OWNERS = new Map(WORKLOAD_KINDS.filter((kind) => kind !== KIND.Pod).map((kind) => [kind.kind, kind]));

export interface TerminateOptions {
  cluster: Cluster;
  gracePeriodSeconds: number;
}

/**
 * Step 3: the owner first, so that nothing comes again, then its pods, then a look that all are gone. Every object is
 * kept as evidence before it is deleted, and deleted by uid, so that what somebody put in its place stays.
 */
export async function terminate(
  { metadata, spec, status }: Incident,
  options: TerminateOptions,
): Promise<Outcome> {
  const { cluster, gracePeriodSeconds } = options;
  const { namespace, workload } = spec;
  const evidence = new Evidence(cluster, metadata.name ?? '');
  const lines: string[] = [];
  const undo: string[] = [];

  const kind = OWNERS.get(workload.kind);
  const owner = kind && (await cluster.get(kind, { namespace, name: workload.name }));
  if (kind && owner) {
    undo.push(await evidence.keep(owner));
    await cluster.delete(
      kind,
      { namespace, name: workload.name },
      { ...uidOf(owner), propagation: 'Background' },
    );
  }
  if (!kind && workload.kind !== 'Pod') {
    lines.push(
      `left to people: ${workload.kind} ${namespace}/${workload.name}, which Kubesentry may not delete; ` +
        'its new pods are refused as long as the quarantine is in force',
    );
  }
  const parent = owner?.metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (parent) {
    lines.push(
      `left to people: ${parent.kind} ${parent.name} (${parent.apiVersion}) owns ${workload.name} and may make it again`,
    );
  }

  const pods = await podsOf(cluster, namespace, workload);
  for (const pod of pods) {
    if (workload.kind === 'Pod') undo.push(await evidence.keep(pod));
    await cluster.delete(
      KIND.Pod,
      { namespace, name: pod.metadata.name ?? '' },
      { ...uidOf(pod), gracePeriodSeconds },
    );
  }
  const left = await podsOf(cluster, namespace, workload);
  const isOwnerLeft =
    kind !== undefined && (await cluster.get(kind, { namespace, name: workload.name })) !== undefined;

  const before = status?.steps?.find(({ step }) => step === 'terminate');
  const kept = (before?.evidence ?? []).filter(
    (line) => line.startsWith('deleted: ') || line.startsWith('left '),
  );
  const deleted = [
    ...(owner ? [`deleted: ${workload.kind} ${namespace}/${workload.name} (uid ${owner.metadata.uid})`] : []),
    ...pods.map(({ metadata: { name, uid } }) => `deleted: Pod ${namespace}/${name} (uid ${uid})`),
  ];
  const all = [...new Set([...kept, ...deleted, ...lines])];
  const isDone = left.length === 0 && !isOwnerLeft;
  return {
    state: isDone ? 'Done' : 'Running',
    message: isDone
      ? `${workload.kind} ${namespace}/${workload.name} and its pods are gone.`
      : `${isOwnerLeft ? `${workload.kind} ${workload.name} and ` : ''}${count(left.length, 'pod')} still to go.`,
    evidence: all,
    undo: undo[0] ?? before?.undo,
  };
}

/** From the API server, not from the watch: here it counts that none is overlooked. */
async function podsOf(
  cluster: Cluster,
  namespace: string,
  workload: Incident['spec']['workload'],
): Promise<KubeObject[]> {
  const { items } = await cluster.list(KIND.Pod, { namespace });
  return items.filter(({ metadata }) => {
    const owner = topOwner({ kind: 'Pod', name: metadata.name ?? '' }, metadata);
    return owner.kind === workload.kind && owner.name === workload.name;
  });
}

function uidOf({ metadata }: KubeObject): { uid?: string } {
  return metadata.uid === undefined ? {} : { uid: metadata.uid };
}
