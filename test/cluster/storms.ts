import { setTimeout as sleep } from 'node:timers/promises';
import type { Detection } from '../../api/detection.ts';
import { BREAK_GLASS_GROUP, QUARANTINE_NETWORK_POLICY } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';
import { idOf } from '../webhook/detections.ts';
import { CRASH_POINTS } from './crash-points.ts';
import { eventually } from './eventually.ts';
import { openIncident } from './open-incident.ts';
import { daemonSet, mining, type ResponseScene } from './response-scene.ts';

/**
 * The API server dies in the middle of containment, stays away for that long, and has forgotten its history when it
 * comes back. Answers milliseconds from its return to the end of the playbook.
 */
export async function outage(scene: ResponseScene, namespace: string, ms: number): Promise<number> {
  const pod = await scene.populate(namespace);
  const replica = await scene.leader();
  const halted = replica.tap.haltAfter(CRASH_POINTS['the quarantine is created']);
  const first = scene.report([mining(pod)], replica);
  const cut = await halted;
  const bringBack = await scene.killApiServer();
  cut();
  // What is reported meanwhile must not be acknowledged: nobody could keep it.
  const second = mining(pod, { id: idOf(`${namespace}/second`), confidence: 0.5 });
  const early = await scene.reportOnce([second], replica);
  if (early?.acknowledged.length) throw new Error('It acknowledged what nobody keeps.');
  await sleep(ms);
  await bringBack();
  const back = performance.now();
  await Promise.all([first, scene.report([second], replica)]);
  const { status } = await scene.finished(namespace);
  if (status?.detections.length !== 2)
    throw new Error(`${status?.detections.length} detections of 2 were kept.`);
  return performance.now() - back;
}

/** People change the Incident, the Quarantine and the NetworkPolicy all the time while the response works on them. */
export async function interference(scene: ResponseScene, namespace: string): Promise<number> {
  const pod = await scene.populate(namespace);
  const carol = await connectCluster({
    kubeconfig: scene.cluster.kubeconfig,
    as: 'carol',
    asGroups: [BREAK_GLASS_GROUP, 'system:masters'],
  });
  const began = performance.now();
  await scene.report([mining(pod)]);
  const name = (await eventually('incident', () => scene.incidentIn(namespace))).metadata.name ?? '';
  let edits = 0;
  let over = false;
  const metadata = () => ({ metadata: { annotations: { edits: String(++edits) } } });
  const edit = async () => {
    while (!over) {
      const policy = { namespace, name: QUARANTINE_NETWORK_POLICY };
      // What does not exist yet cannot be edited.
      await Promise.allSettled([
        carol.patch(KIND.Incident, { name }, metadata()),
        carol.patch(KIND.Quarantine, { name }, { spec: { reason: `Edited ${edits}.` } }),
        carol.patch(KIND.NetworkPolicy, policy, metadata()),
      ]);
    }
  };
  const editing = Promise.all([edit(), edit(), edit()]);
  await scene.finished(namespace);
  const took = performance.now() - began;
  over = true;
  await editing;
  await carol.close();
  const kept = (await scene.admin.get(KIND.Incident, { name }))?.metadata.annotations?.edits;
  if (kept === undefined) throw new Error(`Of ${edits} edits none was kept.`);
  return took;
}

/** A thousand incidents are several thousand steps. */
const PATIENCE_MS = 300_000;

export interface BurstResult {
  detections: number;
  /** From the first report to the last acknowledgement, milliseconds. */
  took: number;
  /** Of the attack in the middle of it: from the acknowledgement to the first refusal, milliseconds. */
  denied: number;
}

/** So many detections at once over twenty workloads, to both replicas, and an attack in the middle of them. */
export async function burst(
  scene: ResponseScene,
  namespace: string,
  detections: number,
): Promise<BurstResult> {
  const target = await scene.populate(`${namespace}-target`);
  await scene.admin.create(KIND.Namespace, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  });
  const workloads = 20;
  for (let index = 0; index < workloads; index++) {
    await scene.admin.create(KIND.DaemonSet, daemonSet(namespace, `w-${index}`, ['serve', `${index}`]));
  }
  const pods = await eventually('pods', async () => {
    const { items } = await scene.admin.list(KIND.Pod, { namespace, fieldSelector: 'spec.nodeName=n1' });
    return items.length === workloads && items;
  });
  const all: Detection[] = Array.from({ length: detections }, (_, index) =>
    mining(pods[index % workloads] as KubeObject, { id: idOf(`${namespace}/${index}`), confidence: 0.4 }),
  );
  const reports = Array.from({ length: Math.ceil(detections / 500) }, (_, at) =>
    all.slice(at * 500, at * 500 + 500),
  );
  const began = performance.now();
  const sent = reports.map((each, index) =>
    scene.report(each, scene.replicas[index % scene.replicas.length]),
  );
  const denied = await timeToDenial(scene, target);
  await Promise.all(sent);
  const took = performance.now() - began;
  // What the journal has taken gets into the incidents a little later.
  await eventually(`all of ${detections} detections in incidents`, async () => {
    const { items } = await scene.admin.list(KIND.Incident);
    const ours = items.filter(({ spec }) => spec.namespace === namespace);
    const counted = ours.reduce(
      (sum, { status }) => sum + (status?.detections.length ?? 0) + (status?.omitted.detections ?? 0),
      0,
    );
    if (ours.length > workloads) throw new Error(`${ours.length} incidents of ${workloads} workloads.`);
    if (counted > detections) throw new Error(`${counted} of ${detections} detections are told.`);
    return ours.length === workloads && counted === detections;
  });
  return { detections, took, denied };
}

/**
 * So many incidents at once that another replica left contained and nobody has looked at. Answers how long a fresh
 * attack among them takes to be denied, and how long until all of them are worked on, milliseconds.
 */
export async function manyOpen(
  scene: ResponseScene,
  prefix: string,
  incidents: number,
): Promise<{ 'fresh attack denied': number; 'all worked on': number }> {
  const pod = await scene.populate(`${prefix}-target`);
  const names = Array.from({ length: incidents }, (_, index) => `${prefix}-${index}`);
  await inParallel(names, (name) => openIncident(scene.ours, 'default', name));
  const began = performance.now();
  const denied = await timeToDenial(scene, pod);
  for (let left = incidents; left > 0; ) {
    await sleep(1_000);
    const { items } = await scene.admin.list(KIND.Incident);
    const ours = items.filter(({ metadata }) => metadata.name?.startsWith(`${prefix}-`));
    left = ours.filter(({ status }) => !status?.steps?.some(({ step }) => step === 'wayIn')).length;
    if (performance.now() - began > PATIENCE_MS) throw new Error(`${left} of ${incidents} incidents wait.`);
  }
  return { 'fresh attack denied': denied, 'all worked on': performance.now() - began };
}

/** From the acknowledgement of a detection to the first pod that the API server refuses there. */
export async function timeToDenial(scene: ResponseScene, pod: KubeObject): Promise<number> {
  const { namespace = '' } = pod.metadata;
  await scene.report([mining(pod)]);
  const acknowledged = performance.now();
  await eventually(`refusal in ${namespace}`, async () => {
    const another = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'another', namespace },
      spec: { containers: [{ name: 'main', image: 'registry.example.com/other:1' }] },
    };
    return scene.admin.create(KIND.Pod, another, { dryRun: true }).then(
      () => undefined,
      () => true,
    );
  });
  return performance.now() - acknowledged;
}

async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await act(item);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
