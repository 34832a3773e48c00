import { KubesentryError } from '../../../api/errors.ts';
import type { Incident } from '../../../api/incident.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { Cluster } from '../../../kube/cluster.ts';
import { everyObject } from '../../../kube/every-object.ts';
import { KIND } from '../../../kube/kind.ts';
import { WORKLOAD_KINDS } from '../../../kube/workloads.ts';
import { serviceAccountOf } from '../../pod-index.ts';
import { isMirror, workloadOfPod } from '../../top-owner.ts';
import { attackedAccounts } from './attacked-accounts.ts';
import { count } from './confirm.ts';
import { Evidence } from './evidence.ts';
import type { Outcome } from './outcome.ts';
import { LEFT, left, mayNot, minedOf, type Owner, ownersOf } from './owners.ts';
import { refusedRespawns } from './respawns.ts';

export interface TerminateOptions {
  cluster: Cluster;
  gracePeriodSeconds: number;
}

/**
 * Step 3: the owners from the top down, so that nothing comes again, then the pods, then a look that all are gone.
 * Every owner is kept as evidence before it is deleted, and deleted by uid, so that what somebody put in its place
 * stays. What was done is read off the evidence: whoever goes on after a crash tells all of it.
 */
export async function terminate(incident: Incident, options: TerminateOptions): Promise<Outcome> {
  const { metadata, spec, status } = incident;
  const { cluster, gracePeriodSeconds } = options;
  const { namespace, workload } = spec;
  const evidence = new Evidence(cluster, metadata);
  const all = await podsOf(cluster, namespace, workload);
  const mined = minedOf(status);
  const told = status?.steps?.find(({ step }) => step === 'terminate')?.evidence ?? [];
  const owners = await ownersOf(spec, all, mined, told, cluster);
  const { spared } = owners;
  // Said before anything is deleted: whoever goes on after a crash finds no sign of it any more.
  if (spared.some((line) => !told.includes(line))) {
    return {
      state: 'Running',
      message: `${spared.length} of its owners are innocent.`,
      evidence: [...spared, ...told],
    };
  }
  const uids = new Set(owners.found.map(({ object }) => object.metadata.uid));
  const isTheirs = ({ metadata: { name, ownerReferences = [] } }: KubeObject) =>
    spared.length === 0 ||
    mined.pods.has(`${namespace}/${name}`) ||
    ownerReferences.some(({ controller, uid }) => controller === true && uids.has(uid));
  const pods = all.filter(isTheirs);
  const ours: Owner[] = [];
  const stay = [...owners.hidden];
  for (const owner of owners.found) {
    const refusal = await deleteOwner(owner, evidence, cluster);
    if (refusal === undefined) ours.push(owner);
    else stay.push(refusal);
  }
  const deleted: string[] = [];
  for (const pod of pods) {
    if (isMirror(pod.metadata)) continue;
    if (workload.kind === 'Pod') await evidence.keep(pod);
    if (await deletePod(pod, gracePeriodSeconds, cluster)) deleted.push(lineOf('Pod', pod.metadata));
  }

  const waiting = (await podsOf(cluster, namespace, workload)).filter(isTheirs);
  const waitingFor = await stillThere(ours, cluster);
  const kept = (await evidence.list()).filter(
    ({ kind, uid }) =>
      kind !== 'ServiceAccount' &&
      !owners.found.some((owner) => owner.object.metadata.uid === uid && !ours.includes(owner)),
  );
  const attempts = await refusedRespawns(kept, namespace, cluster);
  const isDone = waiting.length === 0 && waitingFor.length === 0;
  const what = `${workload.kind} ${namespace}/${workload.name}`;
  return {
    state: isDone ? 'Done' : 'Running',
    message: isDone
      ? spared.length > 0
        ? `The pods that mined are gone. ${what} stays: they were none of its own.`
        : `${what} and its pods are gone.`
      : `Still to go of ${what}: ${[...waitingFor, count(waiting.length, 'pod')].join(', ')}.`,
    evidence: [
      ...new Set([
        ...spared,
        ...kept.map(({ kind, name, uid }) => lineOf(kind, { namespace, name, uid })),
        ...told.filter((line) => line.startsWith('deleted: ')),
        ...deleted,
        // Once its pods are gone nothing leads to an owner any more.
        ...[...told.filter((line) => line.startsWith(LEFT)), ...stay].filter(
          (line) => !kept.some(({ kind, name }) => line.startsWith(`${LEFT}${kind} ${namespace}/${name},`)),
        ),
        ...(attempts > 0 ? [`refused: ${count(attempts, 'attempt')} to make its pods again`] : []),
        ...waiting.flatMap(whyItStays),
      ]),
    ],
    undo: (kept.find(({ kind }) => kind === workload.kind) ?? kept[0])?.undo,
    // A watch that was away may never show pods that are gone by now, and then nobody else knows their accounts.
    found: { serviceAccounts: attackedAccounts(incident, pods.map(withAccount)) },
  };
}

function withAccount(pod: KubeObject) {
  const { namespace = '', name = '' } = pod.metadata;
  return { namespace, name, serviceAccount: serviceAccountOf(pod) };
}

/**
 * Answers what people have to see to, where we may not: only a kind that others brought along may be left like that,
 * the ones of Kubernetes are tried again.
 */
async function deleteOwner(
  { kind, object }: Owner,
  evidence: Evidence,
  cluster: Cluster,
): Promise<string | undefined> {
  const { name = '', namespace, uid, deletionTimestamp } = object.metadata;
  if (deletionTimestamp !== undefined) return undefined;
  await evidence.keep(object);
  try {
    await cluster.delete(kind, { namespace, name }, { ...(uid && { uid }), propagation: 'Background' });
    return undefined;
  } catch (error) {
    const isRefused = error instanceof KubesentryError && error.code === 'KUBE_REFUSED';
    if (!isRefused || WORKLOAD_KINDS.includes(kind)) throw error;
    return left(kind.kind, `${namespace}/${name}`, mayNot(kind));
  }
}

async function stillThere(owners: readonly Owner[], cluster: Cluster): Promise<string[]> {
  const left: string[] = [];
  for (const { kind, object } of owners) {
    const { name = '', namespace, uid } = object.metadata;
    const now = await cluster.get(kind, { namespace, name });
    if (now && now.metadata.uid === uid) left.push(`${kind.kind} ${name}`);
  }
  return left;
}

/** Answers whether it was asked to go: one that goes already, in that time or less, is left to it. */
async function deletePod(
  { metadata }: KubeObject,
  gracePeriodSeconds: number,
  cluster: Cluster,
): Promise<boolean> {
  const { name = '', namespace, uid, deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  const isLeaving =
    deletionTimestamp !== undefined && (deletionGracePeriodSeconds ?? 0) <= gracePeriodSeconds;
  if (isLeaving) return false;
  await cluster.delete(KIND.Pod, { namespace, name }, { ...(uid && { uid }), gracePeriodSeconds });
  return true;
}

/** What a human has to know of a pod that is told to go and does not. */
function whyItStays({ metadata, spec }: KubeObject): string[] {
  const { name, namespace, finalizers = [], deletionTimestamp } = metadata;
  const { nodeName = 'none' } = (spec ?? {}) as { nodeName?: string };
  if (isMirror(metadata)) {
    return [
      `${LEFT}Pod ${namespace}/${name}, which node ${nodeName} runs from a file on its disk; delete the file there`,
    ];
  }
  if (deletionTimestamp === undefined) return [];
  const why =
    finalizers.length > 0
      ? `its finalizers ${finalizers.join(', ')}`
      : `node ${nodeName} to say that it ended`;
  return [`waiting: Pod ${namespace}/${name} goes since ${deletionTimestamp}, it waits for ${why}`];
}

/** From the API server, not from the watch: here it counts that none is overlooked. */
async function podsOf(
  cluster: Cluster,
  namespace: string,
  workload: Incident['spec']['workload'],
): Promise<KubeObject[]> {
  const found: KubeObject[] = [];
  for await (const pod of everyObject(cluster, KIND.Pod, namespace)) {
    const owner = workloadOfPod(pod);
    if (owner.kind === workload.kind && owner.name === workload.name) found.push(pod);
  }
  return found;
}

function lineOf(kind: string, { namespace, name, uid }: KubeObject['metadata']): string {
  return `deleted: ${kind} ${namespace}/${name} (uid ${uid})`;
}
