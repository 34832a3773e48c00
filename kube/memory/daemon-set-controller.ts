import type { KubeObject } from '../../api/object.ts';
import type { Cluster } from '../cluster.ts';
import { KIND } from '../kind.ts';
import { Reflector } from '../reflector.ts';
import type { MemoryCluster } from './cluster.ts';

interface DaemonSet extends KubeObject {
  spec: { template: { metadata?: { labels?: Record<string, string> }; spec: Record<string, unknown> } };
}

const USER = {
  username: 'system:serviceaccount:kube-system:daemon-set-controller',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
};

/** A refused pod is tried again after this long, doubled each time, milliseconds. */
const RETRY_MS = { first: 100, most: 2_000 } as const;

/**
 * One pod for each DaemonSet on each node, made again when it goes; what cannot be made becomes a FailedCreate event.
 * A node's taints and a template's selectors are not looked at.
 */
export class DaemonSetController {
  readonly #cluster: Cluster;
  readonly #sets: Reflector<KubeObject>;
  readonly #nodes: Reflector<KubeObject>;
  readonly #pods: Reflector<KubeObject>;
  readonly #failures = new Map<string, number>();
  readonly #busy = new Set<string>();
  /** Events by what they say: a repeat is counted, not told again. */
  readonly #events = new Map<string, { made: Promise<KubeObject>; count: number }>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #onError: (error: unknown) => void;
  #stopped = false;

  constructor(cluster: MemoryCluster, onError: (error: unknown) => void) {
    this.#cluster = cluster.as(USER);
    this.#onError = onError;
    const reflect = (kind: typeof KIND.Node) => new Reflector({ cluster: this.#cluster, kind, onError });
    this.#sets = reflect(KIND.DaemonSet);
    this.#nodes = reflect(KIND.Node);
    this.#pods = reflect(KIND.Pod);
    void this.#start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all([this.#sets, this.#nodes, this.#pods].map((reflector) => reflector.stop()));
  }

  async #start(): Promise<void> {
    await Promise.all([this.#sets, this.#nodes, this.#pods].map((reflector) => reflector.synced));
    const reconcileAll = () => {
      for (const set of this.#sets.store.values()) this.#reconcile(set as DaemonSet);
    };
    this.#sets.store.listen({ onSet: (set) => this.#reconcile(set as DaemonSet) });
    this.#nodes.store.listen({ onSet: reconcileAll });
    this.#pods.store.listen({ onDelete: reconcileAll });
  }

  #reconcile(set: DaemonSet): void {
    for (const node of this.#nodes.store.values()) {
      this.#ensurePod(set, node.metadata.name as string).catch(this.#onError);
    }
  }

  async #ensurePod(set: DaemonSet, node: string): Promise<void> {
    const slot = `${set.metadata.uid}/${node}`;
    const isThere = [...this.#pods.store.values()].some(
      (pod) =>
        (pod.spec as { nodeName?: string }).nodeName === node &&
        pod.metadata.ownerReferences?.some(({ uid }) => uid === set.metadata.uid),
    );
    if (isThere || this.#busy.has(slot) || this.#stopped) return;
    this.#busy.add(slot);
    try {
      await this.#cluster.create(KIND.Pod, podOf(set, node));
      this.#failures.delete(slot);
      // The store hears of the new pod in a moment; until then the slot counts as busy.
      this.#later(RETRY_MS.first, () => this.#look(set, node, slot));
    } catch (error) {
      const failures = (this.#failures.get(slot) ?? 0) + 1;
      this.#failures.set(slot, failures);
      this.#later(Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** failures), () => this.#look(set, node, slot));
      await this.#report(set, error);
    }
  }

  /** Again: the pod may have been refused, or have gone while the slot was busy. */
  #look({ metadata }: DaemonSet, node: string, slot: string): void {
    this.#busy.delete(slot);
    const current = this.#sets.store.get({ name: metadata.name as string, namespace: metadata.namespace });
    if (current) this.#ensurePod(current as DaemonSet, node).catch(this.#onError);
  }

  async #report(set: DaemonSet, error: unknown): Promise<void> {
    const { name = '', namespace = '', uid = '' } = set.metadata;
    const note = `Error creating: ${error instanceof Error ? error.message : String(error)}`.slice(0, 1024);
    const key = `${uid} ${note}`;
    const told = this.#events.get(key);
    try {
      if (told) {
        const { metadata } = await told.made;
        const series = { count: ++told.count, lastObservedTime: new Date().toISOString() };
        await this.#cluster.patch(KIND.Event, { name: metadata.name ?? '', namespace }, { series });
        return;
      }
      const made = this.#cluster.create(KIND.Event, {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { generateName: `${name}.`, namespace },
        eventTime: new Date().toISOString(),
        type: 'Warning',
        reason: 'FailedCreate',
        action: 'Create',
        note,
        regarding: { apiVersion: 'apps/v1', kind: 'DaemonSet', name, namespace, uid },
        reportingController: 'daemonset-controller',
      });
      this.#events.set(key, { made, count: 1 });
      await made;
    } catch (failure) {
      this.#events.delete(key);
      throw failure;
    }
  }

  #later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#stopped) act();
    }, ms);
    this.#timers.add(timer);
  }
}

function podOf(set: DaemonSet, node: string): KubeObject {
  const { template } = set.spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace as string,
      labels: template.metadata?.labels ?? {},
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'DaemonSet',
          name: set.metadata.name as string,
          uid: set.metadata.uid as string,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: { ...template.spec, nodeName: node },
  };
}
