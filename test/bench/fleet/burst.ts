import { createHash } from 'node:crypto';
import type { Detection } from '../../../api/detection.ts';
import type { LightAgent } from './agents.ts';
import type { FleetPod } from './population.ts';

export interface BurstResult {
  /** From the moment that the report was due until its detection was acknowledged, milliseconds. */
  latencies: number[];
  /** The same for the last try alone: what the server took. */
  service: number[];
  /** Tries that were answered with 429 or 503, and were tried again after Retry-After. */
  turnedAway: number;
  /** Tries whose connection broke off before the answer; they were tried again after a second. */
  brokenOff: number;
  /** Ids by the namespace of their pod; all of them were acknowledged. */
  acknowledged: Map<string, string[]>;
  /** From the first due report to the last acknowledgement. */
  milliseconds: number;
}

/**
 * `reports` detections of the pool protocol, spread evenly over `milliseconds`, each a report of its own, sent when it
 * is due whatever is under way. Rejects for one that the webhook refuses for good.
 */
export async function burst(
  agents: ReadonlyMap<string, LightAgent>,
  pods: readonly FleetPod[],
  reports: number,
  milliseconds: number,
): Promise<BurstResult> {
  const result: BurstResult = {
    latencies: [],
    service: [],
    turnedAway: 0,
    brokenOff: 0,
    acknowledged: new Map(),
    milliseconds: 0,
  };
  const began = performance.now();
  const deliver = async (number: number) => {
    const due = began + (number / reports) * milliseconds;
    await until(due);
    const pod = pods[number % pods.length] as FleetPod;
    const id = createHash('sha256').update(`${pod.uid}/${number}`).digest('hex').slice(0, 32);
    const detection = detectionIn(pod, id);
    for (;;) {
      const asked = performance.now();
      const answer = await agents.get(pod.node)?.report([detection]);
      const now = performance.now();
      if (answer?.body?.acknowledged[0] === id) {
        result.latencies.push(now - due);
        result.service.push(now - asked);
        result.acknowledged.set(pod.namespace, [...(result.acknowledged.get(pod.namespace) ?? []), id]);
        return;
      }
      if (answer?.status !== 0 && answer?.status !== 429 && answer?.status !== 503) {
        throw new Error(`${pod.node} is answered ${answer?.status} ${JSON.stringify(answer?.body)}`);
      }
      if (answer.status === 0) result.brokenOff++;
      else result.turnedAway++;
      await until(now + answer.retryAfter * 1000 * (0.5 + Math.random() / 2));
    }
  };
  await Promise.all(Array.from({ length: reports }, (_, number) => deliver(number)));
  result.milliseconds = performance.now() - began;
  return result;
}

/** As an agent reports it: the uid of the pod is what it is sure of. */
export function detectionIn({ namespace, name, uid }: FleetPod, id: string): Detection {
  return {
    id,
    time: new Date().toISOString(),
    rule: 'pool-protocol',
    severity: 'critical',
    confidence: 1,
    action: 'dropped',
    process: {
      pid: 4711,
      exe: '/tmp/kworker',
      argv: ['kworker', '-c', '/tmp/c.json'],
      uid: 0,
      sha256: 'ab'.repeat(32),
      ancestors: [{ pid: 1, exe: '/bin/sh', argv: ['sh', '-c', '/tmp/kworker -c /tmp/c.json'] }],
    },
    container: {
      id: null,
      cgroup: `/kubepods/besteffort/pod${uid}/x`,
      podUid: uid,
      name: null,
      namespace,
      pod: name,
      workload: null,
      image: null,
    },
    evidence: { protocol: 'stratum', findings: [{ rule: 'pool-protocol', message: 'It speaks stratum.' }] },
    repeats: 0,
  };
}

async function until(time: number): Promise<void> {
  const left = time - performance.now();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}
