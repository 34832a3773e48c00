import { createHash } from 'node:crypto';
import type { Detection } from '../../../api/detection.ts';
import type { LightAgent } from './agents.ts';
import type { FleetPod } from './population.ts';

export interface BurstResult {
  /** From the moment that the kernel would have seen it until it was acknowledged, milliseconds, for each detection. */
  latencies: number[];
  /** What the server took for each report that it acknowledged. */
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

interface Due {
  at: number;
  pod: FleetPod;
  id: string;
}

/** As runtime/reporter.ts has it. */
const BATCH = 100;

/**
 * `many` detections of the pool protocol, spread evenly over `milliseconds` and over `pods`. An agent reports as the real
 * one does: at once, one report at a time, and what is due meanwhile goes together with the next. Rejects for a
 * detection that the webhook refuses for good.
 */
export async function burst(
  agents: ReadonlyMap<string, LightAgent>,
  pods: readonly FleetPod[],
  many: number,
  milliseconds: number,
): Promise<BurstResult> {
  const began = performance.now();
  const nodes = new Map<string, Due[]>();
  for (let number = 0; number < many; number++) {
    const pod = pods[number % pods.length] as FleetPod;
    const id = createHash('sha256').update(`${pod.uid}/${number}`).digest('hex').slice(0, 32);
    const queue = nodes.get(pod.node) ?? [];
    queue.push({ at: began + (number / many) * milliseconds, pod, id });
    nodes.set(pod.node, queue);
  }
  const result: BurstResult = {
    latencies: [],
    service: [],
    turnedAway: 0,
    brokenOff: 0,
    acknowledged: new Map(),
    milliseconds: 0,
  };
  await Promise.all([...nodes].map(([node, queue]) => reportAll(agents.get(node), queue, result)));
  result.milliseconds = performance.now() - began;
  return result;
}

async function reportAll(agent: LightAgent | undefined, queue: Due[], result: BurstResult): Promise<void> {
  if (!agent) throw new Error('nobody reports from there');
  for (let next = queue[0]; next; next = queue[0]) {
    await until(next.at);
    const asked = performance.now();
    const batch = queue.filter(({ at }) => at <= asked).slice(0, BATCH);
    const { status, retryAfter, body } = await agent.report(batch.map(({ pod, id }) => detectionIn(pod, id)));
    const now = performance.now();
    if (body) {
      if (body.rejected.length > 0) throw new Error(`refused for good: ${JSON.stringify(body.rejected)}`);
      result.service.push(now - asked);
      const taken = new Set(body.acknowledged);
      for (const { at, pod, id } of batch.filter((each) => taken.has(each.id))) {
        result.latencies.push(now - at);
        const ids = result.acknowledged.get(pod.namespace) ?? [];
        ids.push(id);
        result.acknowledged.set(pod.namespace, ids);
      }
      queue.splice(0, queue.length, ...queue.filter(({ id }) => !taken.has(id)));
      continue;
    }
    if (status === 0) result.brokenOff++;
    else if (status === 429 || status === 503) result.turnedAway++;
    else throw new Error(`${agent.node} is answered ${status}`);
    await until(now + retryAfter * 1000 * (0.5 + Math.random() / 2));
  }
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
