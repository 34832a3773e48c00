import { createHash } from 'node:crypto';
import { KubesentryError } from '../../../api/errors.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { HttpCluster } from '../../../kube/http/cluster.ts';
import { KIND } from '../../../kube/kind.ts';
import type { LightAgent } from './agents.ts';
import { detectionIn } from './burst.ts';
import { makeNamespace, podOn } from './population.ts';

/** Milliseconds. */
export interface ContainmentSample {
  /** Report sent to detection acknowledged. */
  acknowledged: number;
  /** Acknowledged to the answer that refused a pod of another template, the first of those offered since. */
  refused: number;
  /** Acknowledged to the label that the API server's own policy goes by; negative when it came first. */
  labelled: number;
}

/** One attack in a namespace of its own. Pods are offered as dry runs, the next when the one before was answered. */
export async function contain(
  admin: HttpCluster,
  agent: LightAgent,
  namespace: string,
): Promise<ContainmentSample> {
  await makeNamespace(admin, namespace);
  const { metadata } = await admin.create(KIND.Pod, podOn(agent.node, namespace, 'miner'));
  const pod = { namespace, name: 'miner', uid: metadata.uid ?? '', node: agent.node };
  const over = new AbortController();
  const label = labelOf(admin, namespace, over.signal);
  const id = createHash('sha256').update(pod.uid).digest('hex').slice(0, 32);
  const sent = performance.now();
  const { status, body } = await agent.report([detectionIn(pod, id)]);
  const acknowledged = performance.now();
  if (body?.acknowledged[0] !== id) throw new Error(`not acknowledged: ${status} ${JSON.stringify(body)}`);
  const other = podOn(agent.node, namespace, 'other');
  (other.spec as { containers: object[] }).containers = [
    { name: 'main', image: 'registry.example.com/shop/web:2', command: ['serve'] },
  ];
  const refused = await refusal(admin, other);
  const labelled = await label;
  over.abort();
  return {
    acknowledged: acknowledged - sent,
    refused: refused - acknowledged,
    labelled: labelled - acknowledged,
  };
}

async function refusal(admin: HttpCluster, pod: KubeObject): Promise<number> {
  for (;;) {
    try {
      await admin.create(KIND.Pod, pod, { dryRun: true });
    } catch (error) {
      if (error instanceof KubesentryError && error.code === 'KUBE_REFUSED') return performance.now();
      throw error;
    }
  }
}

async function labelOf(admin: HttpCluster, name: string, signal: AbortSignal): Promise<number> {
  const { resourceVersion, items } = await admin.list(KIND.Namespace, {
    fieldSelector: `metadata.name=${name}`,
  });
  if (items.some(isLabelled)) return performance.now();
  const watch = admin.watch(KIND.Namespace, {
    fieldSelector: `metadata.name=${name}`,
    resourceVersion,
    signal,
  });
  for await (const event of watch) {
    if (event.type === 'MODIFIED' && isLabelled(event.object)) return performance.now();
  }
  throw new Error(`namespace ${name} was never labelled`);
}

function isLabelled({ metadata }: KubeObject): boolean {
  return metadata.labels?.['kubesentry.io/quarantine'] !== undefined;
}
