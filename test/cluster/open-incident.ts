import type { Incident } from '../../api/incident.ts';
import { API_VERSION } from '../../api/names.ts';
import type { HttpCluster } from '../../kube/http/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { detectionIn, idOf } from '../webhook/detections.ts';

/** As a replica would have left it that contained one workload, and died. `ours` has the rights of the webhook. */
export async function openIncident(ours: HttpCluster, namespace: string, name: string): Promise<void> {
  const workload = { kind: 'DaemonSet', name };
  const time = new Date().toISOString();
  const created = await ours.create(KIND.Incident, {
    apiVersion: API_VERSION,
    kind: 'Incident',
    metadata: { name },
    spec: { namespace, workload },
  });
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name } };
  const status: NonNullable<Incident['status']> = {
    phase: 'Contained',
    confidence: 1,
    reasons: ['pool-protocol'],
    firstSeen: time,
    lastSeen: time,
    detections: [detectionIn(pod, { id: idOf(name), time, evidence: {} })],
    pods: [`${namespace}/${name}`],
    nodes: ['n1'],
    fingerprint: [],
    quarantine: name,
    timeline: [],
    omitted: { detections: 0, pods: 0, timeline: 0 },
  };
  await ours.create(KIND.Quarantine, {
    apiVersion: API_VERSION,
    kind: 'Quarantine',
    metadata: { name },
    spec: { namespace, workload, incident: name, reason: 'A drill.', requestedBy: 'kubesentry', bans: [] },
  });
  await ours.update(KIND.Incident, { ...created, status }, { subresource: 'status' });
}
