import type { Incident } from '../../api/incident.ts';
import { KIND } from '../../kube/kind.ts';
import { incidentName } from '../../webhook/incident/subject.ts';
import type { AuditedRequest } from './audit-log.ts';
import { CRASH_POINTS, type CrashPoint } from './crash-points.ts';
import { mining, type ResponseScene } from './response-scene.ts';

export interface Crash {
  point: CrashPoint;
  /** From the kill to the end of all six steps, milliseconds; half of it or more is the wait for the lease. */
  took: number;
  /** What was lost or done twice; empty is good. */
  problems: string[];
}

/**
 * An attack, and a kill -9 of the leading replica at that point of the response. Both replicas live again afterwards; the clock of
 * that one is then so wrong.
 */
export async function crashAt(
  scene: ResponseScene,
  point: CrashPoint,
  { namespace = `crash-${Object.keys(CRASH_POINTS).indexOf(point)}`, skewMs = 0 } = {},
): Promise<Crash> {
  const pod = await scene.populate(namespace);
  const account = await scene.admin.get(KIND.ServiceAccount, { namespace, name: 'default' });
  const leader = await scene.leader();
  const halted = leader.tap.haltAfter(CRASH_POINTS[point]);
  const reported = scene.report([mining(pod)], leader);
  await halted;
  const killed = performance.now();
  await leader.end('SIGKILL');
  await reported;
  const incident = await scene.finished(namespace);
  const took = performance.now() - killed;
  await scene.startReplica(leader.name, skewMs);
  const problems = [
    ...whatIsWrong(incident),
    ...doneTwice(await scene.writesOfOurs(), namespace, incident.metadata.name),
  ];
  const after = await scene.admin.get(KIND.ServiceAccount, { namespace, name: 'default' });
  if (after?.metadata.uid === account?.metadata.uid) problems.push('the service account is the old one');
  const left = (await scene.admin.list(KIND.DaemonSet, { namespace })).items.length;
  if (left > 0) problems.push('the DaemonSet is there');
  return { point, took, problems };
}

function whatIsWrong({ status }: Incident): string[] {
  const lines = (status?.timeline ?? []).map(
    ({ source, reference, message }) => `${source} ${reference ?? message}`,
  );
  const repeated = lines.filter((line, index) => lines.indexOf(line) !== index);
  const undo = status?.steps?.find(({ step }) => step === 'terminate')?.undo;
  return [
    ...(status?.detections.length === 1 ? [] : [`${status?.detections.length} detections`]),
    ...(undo === undefined ? ['terminate does not say how to undo it'] : []),
    ...repeated.map((line) => `told twice: ${line}`),
  ];
}

/** What may happen once: creations, and deletions of each object. */
export function doneTwice(
  writes: readonly AuditedRequest[],
  namespace: string,
  incident: string = incidentName({ namespace, workload: { kind: 'DaemonSet', name: 'collector' } }, 1),
): string[] {
  const about = writes.filter(
    (write) =>
      write.namespace === namespace || write.name === incident || write.name === `${incident}-evidence`,
  );
  const counts = new Map<string, number>();
  for (const { verb, resource, name } of about) {
    if (verb !== 'create' && verb !== 'delete') continue;
    const key = `${verb} ${resource} ${name}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count > 1).map(([what, count]) => `${count} times: ${what}`);
}
