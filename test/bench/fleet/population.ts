import { KubesentryError } from '../../../api/errors.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { HttpCluster } from '../../../kube/http/cluster.ts';
import { KIND } from '../../../kube/kind.ts';

/** A pod that stands in the API server and that no kubelet runs. */
export interface FleetPod {
  namespace: string;
  name: string;
  uid: string;
  node: string;
}

/** Kept by a controller that lets its pods be: a CronJob looks after Jobs only. */
const OWNER = 'collector';

const WRITERS = 32;

export const nodeName = (number: number) => `node-${number}`;

/** `workloads` namespaces with a workload each, whose pods stand on `nodes` nodes in turn. */
export async function populate(
  admin: HttpCluster,
  size: { prefix: string; workloads: number; pods: number; nodes: number },
): Promise<FleetPod[]> {
  const { prefix, workloads, pods, nodes } = size;
  const owners = await inParallel(range(workloads), async (number) => {
    const namespace = `${prefix}-${number}`;
    await makeNamespace(admin, namespace);
    const { metadata } = await admin.create(KIND.CronJob, cronJob(namespace));
    return { namespace, uid: metadata.uid ?? '' };
  });
  return inParallel(range(pods), async (number) => {
    const { namespace, uid } = owners[number % workloads] as { namespace: string; uid: string };
    const pod = podOn(nodeName(number % nodes), namespace, `${OWNER}-${number}`);
    pod.metadata.ownerReferences = [
      { apiVersion: 'batch/v1', kind: 'CronJob', name: OWNER, uid, controller: true },
    ];
    const { metadata } = await admin.create(KIND.Pod, pod);
    return {
      namespace,
      name: metadata.name ?? '',
      uid: metadata.uid ?? '',
      node: nodeName(number % nodes),
    };
  });
}

/** Pods are taken by the API server only where there is a service account; its controller makes twenty a second. */
export async function makeNamespace(admin: HttpCluster, name: string): Promise<void> {
  await admin.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { namespace: name, name: 'default' },
  };
  await admin.create(KIND.ServiceAccount, account).catch((error: unknown) => {
    if (!(error instanceof KubesentryError && error.code === 'KUBE_CONFLICT')) throw error;
  });
}

/** Tolerates everything: no controller is to move it. */
export function podOn(node: string, namespace: string, name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels: { app: OWNER } },
    spec: {
      nodeName: node,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        { name: 'main', image: 'registry.example.com/shop/collector:1', command: ['collect', namespace] },
      ],
    },
  };
}

/** A node is ready by its own word only: no lease keeps it so. */
export async function makeNodes(admin: HttpCluster, from: number, to: number): Promise<void> {
  await inParallel(range(to - from), async (offset) => {
    const name = nodeName(from + offset);
    await admin.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { name } } });
    const room = { cpu: '64', memory: '256Gi', pods: '500' };
    const status = { allocatable: room, capacity: room, conditions: [{ type: 'Ready', status: 'True' }] };
    await admin.patch(KIND.Node, { name }, { status }, { subresource: 'status' });
  });
}

export const range = (length: number): number[] => Array.from({ length }, (_, number) => number);

/** In the order of `items`, so many at a time. */
export async function inParallel<T, R>(
  items: readonly T[],
  act: (item: T) => Promise<R>,
  most = WRITERS,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const work = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await act(items[at] as T);
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, work));
  return results;
}

function cronJob(namespace: string): KubeObject {
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { namespace, name: OWNER },
    spec: {
      schedule: '0 0 1 1 *',
      suspend: true,
      jobTemplate: {
        spec: {
          template: {
            spec: {
              restartPolicy: 'Never',
              containers: [
                { name: 'main', image: 'registry.example.com/shop/collector:1', command: ['collect'] },
              ],
            },
          },
        },
      },
    },
  };
}
