import { NODES_CONFIG_MAP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { type Finding, ifAllowed, ok, some, wrong } from './status-check.ts';

const NAME = 'kubesentry-agent';

interface AgentPod {
  spec?: { nodeName?: string };
  status?: { conditions?: { type: string; status: string }[] };
}

/** Names the nodes on which no agent is ready, to those who may list nodes. */
export async function agents(cluster: Cluster): Promise<Finding> {
  const key = { namespace: SYSTEM_NAMESPACE, name: NAME };
  const found = (await cluster.get(KIND.DaemonSet, key)) as
    | { status?: { desiredNumberScheduled?: number; numberReady?: number } }
    | undefined;
  if (!found) {
    return wrong(`there is no DaemonSet ${key.namespace}/${key.name}: nothing is watched at run time`);
  }
  const { desiredNumberScheduled: wanted = 0, numberReady: ready = 0 } = found.status ?? {};
  const text = `${ready} of ${wanted} nodes watched`;
  if (wanted > 0 && ready >= wanted) {
    const partly = await watchedInPart(cluster);
    return partly.length === 0 ? ok(text) : wrong(`${text}, in part: ${some(partly)}`);
  }
  const missing = await unwatched(cluster);
  return wrong(
    `${text}${missing.length > 0 ? `; not ${some(missing)}` : ''}: ` +
      `kubectl -n ${key.namespace} logs ds/${key.name} says what the kernel lacks`,
  );
}

/** Nodes that lack something, with what it is and why, as their agents have told. */
async function watchedInPart(cluster: Cluster): Promise<string[]> {
  const key = { namespace: SYSTEM_NAMESPACE, name: NODES_CONFIG_MAP };
  const found = await ifAllowed(cluster.get(KIND.ConfigMap, key));
  if (found === 'not allowed' || found === undefined) return [];
  const { data = {} } = found as { data?: Record<string, string> };
  return Object.entries(data).flatMap(([node, text]) => {
    const { missing } = JSON.parse(text) as { missing: { name: string; detail: string }[] };
    return missing.length === 0
      ? []
      : `${node} (${missing.map(({ name, detail }) => `${name}: ${detail}`).join('; ')})`;
  });
}

async function unwatched(cluster: Cluster): Promise<string[]> {
  const ours = { namespace: SYSTEM_NAMESPACE, labelSelector: `app.kubernetes.io/name=${NAME}` };
  const nodes = await ifAllowed(cluster.list(KIND.Node));
  const pods = await ifAllowed(cluster.list(KIND.Pod, ours));
  if (nodes === 'not allowed' || pods === 'not allowed') return [];
  const watched = new Set(
    (pods.items as AgentPod[])
      .filter(({ status }) =>
        status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True'),
      )
      .map(({ spec }) => spec?.nodeName),
  );
  return nodes.items.map(({ metadata }) => metadata.name ?? '').filter((name) => !watched.has(name));
}
