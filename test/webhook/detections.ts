import { createHash } from 'node:crypto';
import type { Detection } from '../../api/detection.ts';
import type { KubeObject } from '../../api/object.ts';
import { type Answer, agentToken, post, type Scene } from './harness.ts';

/** A detection of the pool protocol in a pod, as an agent reports it: only the uid of the pod is sure. */
export function detectionIn(pod: KubeObject | undefined, more: Partial<Detection> = {}): Detection {
  return {
    id: idOf(`${pod?.metadata.uid}`),
    time: '2026-06-01T12:00:00.000Z',
    rule: 'pool-protocol',
    severity: 'critical',
    confidence: 1,
    action: 'none',
    process: {
      pid: 4711,
      exe: '/tmp/kworker',
      argv: ['kworker', '-c', '/tmp/c.json'],
      uid: 0,
      sha256: 'ab'.repeat(32),
      ancestors: [],
    },
    container: pod
      ? {
          id: 'c'.repeat(64),
          cgroup: `/kubepods/besteffort/pod${pod.metadata.uid}/${'c'.repeat(64)}`,
          podUid: pod.metadata.uid ?? null,
          name: null,
          namespace: null,
          pod: null,
          workload: null,
          image: null,
        }
      : null,
    evidence: {
      protocol: 'stratum',
      destinations: [{ address: '203.0.113.9', port: 3333 }],
      findings: [{ rule: 'pool-protocol' }, { rule: 'added-executable' }],
    },
    repeats: 0,
    ...more,
  };
}

export const idOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);

/** Reports as the agent of a node. */
export async function report(
  scene: Scene,
  node: string,
  detections: unknown[],
  authorization?: string,
): Promise<Answer> {
  const headers = { authorization: authorization ?? `Bearer ${await agentToken(scene.cluster, node)}` };
  const body = { apiVersion: 'kubesentry.io/v1alpha1', kind: 'DetectionReport', node, detections };
  return post(scene.webhook, '/v1/detections', body, { headers });
}
