import { statSync } from 'node:fs';
import type { Incident } from '../../api/incident.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { ApiClient } from './api-client.ts';
import { type RunningCluster, startCluster, stopCluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { type Installation, installKubesentry, must } from './install.ts';
import { attack, containerPid, loadStandIn, type } from './stand-in.ts';

export interface PodStatus {
  metadata: { name: string; namespace: string; uid: string; deletionTimestamp?: string };
  status: {
    phase: string;
    podIP?: string;
    containerStatuses?: { containerID?: string; restartCount: number; state: { running?: object } }[];
  };
}

/** A cluster with Kubesentry in it, and what a test of faults looks at there. */
export class FaultScene {
  readonly cluster: RunningCluster;
  readonly installation: Installation;
  readonly api: ApiClient;

  private constructor(cluster: RunningCluster, installation: Installation, api: ApiClient) {
    this.cluster = cluster;
    this.installation = installation;
    this.api = api;
  }

  static async open(name: string): Promise<FaultScene> {
    const cluster = await startCluster({ name, node: true });
    try {
      loadStandIn(cluster);
      const installation = await installKubesentry(cluster);
      return new FaultScene(cluster, installation, await ApiClient.open(cluster));
    } catch (error) {
      await stopCluster(name);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    await this.cluster.stop();
  }

  /** Answers what kubectl printed, throws what it said when it failed. */
  kubectl(...args: string[]): Promise<string> {
    return must(this.cluster, args);
  }

  /** Creates a namespace with these pods in it and resolves when they run. */
  async populate(namespace: string, ...pods: object[]): Promise<void> {
    await this.kubectl('create', 'namespace', namespace);
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods });
    await must(this.cluster, ['apply', '-f', '-'], list);
    await this.kubectl('wait', '--for=condition=Ready', 'pod', '--all', '-n', namespace, '--timeout=60s');
  }

  /** Somebody gets into the pod and mines. */
  async attack(namespace: string, pod: string): Promise<void> {
    attack(this.cluster, containerIdOf(await this.pod(namespace, pod)));
  }

  /** A line of shell in the pod; resolves when it has ended. */
  async type(namespace: string, pod: string, line: string): Promise<void> {
    await type(this.cluster, containerIdOf(await this.pod(namespace, pod)), line);
  }

  async pod(namespace: string, name: string): Promise<PodStatus> {
    return (await this.api.ask<PodStatus>('GET', `/api/v1/namespaces/${namespace}/pods/${name}`)).body;
  }

  async pods(namespace: string): Promise<PodStatus[]> {
    const { body } = await this.api.ask<{ items: PodStatus[] }>(
      'GET',
      `/api/v1/namespaces/${namespace}/pods`,
    );
    return body.items;
  }

  async productPods(target: 'agent' | 'webhook'): Promise<PodStatus[]> {
    return (await this.pods(SYSTEM_NAMESPACE)).filter(({ metadata }) =>
      metadata.name.includes(`-${target}-`),
    );
  }

  async incidents(namespace: string): Promise<Incident[]> {
    return (await this.#records<Incident>('incidents')).filter(({ spec }) => spec.namespace === namespace);
  }

  async quarantines(namespace: string): Promise<Quarantine[]> {
    return (await this.#records<Quarantine>('quarantines')).filter(
      ({ spec }) => spec.namespace === namespace,
    );
  }

  /** The namespace's incident once it is contained. */
  async contained(namespace: string): Promise<Incident> {
    return eventually(`contained incident in ${namespace}`, async () =>
      (await this.incidents(namespace)).find(({ status }) => status?.phase === 'Contained'),
    );
  }

  /** What the API server says to a new pod; undefined when it takes it. */
  async refusal(pod: { metadata: { namespace: string } }): Promise<string | undefined> {
    const path = `/api/v1/namespaces/${pod.metadata.namespace}/pods`;
    const { status, body } = await this.api.ask<{ message: string }>('POST', `${path}?dryRun=All`, pod);
    return status === 201 ? undefined : body.message;
  }

  /** Process id on this machine of a pod's container; undefined when none runs. */
  pidOf(pod: PodStatus): number | undefined {
    return containerPid(this.cluster, containerIdOf(pod));
  }

  /** How many bytes a sink received. */
  received(pid: number, file: string): number {
    return statSync(`/proc/${pid}/root${file}`, { throwIfNoEntry: false })?.size ?? 0;
  }

  async #records<T>(plural: string): Promise<T[]> {
    const { body } = await this.api.ask<{ items: T[] }>('GET', `/apis/kubesentry.io/v1alpha1/${plural}`);
    return body.items;
  }
}

function containerIdOf({ metadata, status }: PodStatus): string {
  const id = status.containerStatuses?.[0]?.containerID;
  if (id === undefined) throw new Error(`Pod ${metadata.namespace}/${metadata.name} has no container.`);
  return id.replace('containerd://', '');
}
