import { KubesentryError } from '../../api/errors.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { ADDRESS } from './address.ts';

const NAME = 'n1';

const PACE_MS = 100;

/** The controllers call a node dead that says nothing for 50 s. */
const HEARTBEAT_MS = 5_000;

interface PodObject extends KubeObject {
  spec: { nodeName?: string; containers: { name: string; image: string }[] };
  status?: { phase?: string };
}

/**
 * A node without a kubelet: says of pods that are bound to it that they run, at `ADDRESS`, once `start` has started
 * what they stand for, and lets go of those that are deleted. So Deployments roll out and Services have endpoints on
 * a control plane that has no machine behind it.
 */
export class PretendNode {
  readonly #cluster: Cluster;
  readonly #start: (pod: KubeObject) => Promise<void>;
  #going = true;
  #loop: Promise<void> = Promise.resolve();

  private constructor(cluster: Cluster, start: (pod: KubeObject) => Promise<void>) {
    this.#cluster = cluster;
    this.#start = start;
  }

  /** As the administrator. */
  static async join(cluster: Cluster, start: (pod: KubeObject) => Promise<void>): Promise<PretendNode> {
    await cluster.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name: NAME } });
    const node = new PretendNode(cluster, start);
    node.#loop = node.#run();
    return node;
  }

  async leave(): Promise<void> {
    this.#going = false;
    await this.#loop;
  }

  async #run(): Promise<void> {
    let beat = Number.NEGATIVE_INFINITY;
    while (this.#going) {
      if (performance.now() - beat > HEARTBEAT_MS) {
        beat = performance.now();
        await this.#cluster.patch(KIND.Node, { name: NAME }, { status: ready() }, { subresource: 'status' });
      }
      const { items } = await this.#cluster.list(KIND.Pod, { fieldSelector: `spec.nodeName=${NAME}` });
      for (const pod of items as PodObject[]) await this.#look(pod).catch(unlessGone);
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
  }

  async #look(pod: PodObject): Promise<void> {
    const { name = '', namespace, deletionTimestamp } = pod.metadata;
    const key = { name, namespace };
    if (deletionTimestamp) {
      await this.#cluster.delete(KIND.Pod, key, { gracePeriodSeconds: 0 });
    } else if (pod.status?.phase !== 'Running') {
      await this.#start(pod);
      await this.#cluster.patch(KIND.Pod, key, { status: running(pod) }, { subresource: 'status' });
    }
  }
}

/** Somebody else was faster; the next look sees what is there now. */
function unlessGone(error: unknown): void {
  const codes = ['KUBE_NOT_FOUND', 'KUBE_CONFLICT'];
  if (!(error instanceof KubesentryError && codes.includes(error.code))) throw error;
}

function ready(): object {
  const room = { cpu: '16', memory: '64Gi', pods: '110' };
  return {
    allocatable: room,
    capacity: room,
    conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: new Date().toISOString() }],
    addresses: [{ type: 'InternalIP', address: ADDRESS }],
  };
}

function running({ spec }: PodObject): object {
  const since = new Date().toISOString();
  return {
    phase: 'Running',
    hostIP: ADDRESS,
    podIP: ADDRESS,
    podIPs: [{ ip: ADDRESS }],
    startTime: since,
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime: since,
    })),
    containerStatuses: spec.containers.map(({ name, image }) => ({
      name,
      image,
      imageID: image,
      ready: true,
      restartCount: 0,
      state: { running: { startedAt: since } },
    })),
  };
}
