import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { KubeObject } from '../../api/object.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import type { Log } from '../../runtime/log.ts';
import { Cgroup } from './cgroup.ts';

/** A Pod, as far as this kubelet reads it. */
interface Pod extends KubeObject {
  spec: { nodeName?: string; containers: { name: string; command?: string[]; args?: string[] }[] };
}

interface Running {
  cgroup: Cgroup;
  processes: ChildProcess[];
}

export interface KubeletOptions {
  cluster: Cluster;
  node: string;
  /**
   * Folder of the cgroup v2 hierarchy below which pods get theirs; made, and removed at the end. Without one the pods
   * run on paper only: they are said to run, and no process is started.
   */
  cgroupRoot: string | undefined;
  /** Environment of every container, as services give it. */
  env: Record<string, string>;
  log: Pick<Log, 'warn'>;
}

/**
 * Runs the pods of one node of the in-memory cluster as plain processes, each in the cgroup that a real
 * kubelet would give it: kubepods/besteffort/pod<uid>/<container id>. No images, no isolation.
 */
export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #root: Cgroup | undefined;
  readonly #pods = new Map<string, Running>();
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: KubeletOptions) {
    this.#options = options;
    this.#root = options.cgroupRoot === undefined ? undefined : new Cgroup(options.cgroupRoot);
  }

  start(): void {
    this.#loop = this.#watch();
  }

  /** Starts one more process in the first container of a pod, as a hole in its application would. */
  run(podUid: string, command: string[]): ChildProcess {
    const pod = this.#pods.get(podUid);
    if (!pod) throw new Error(`no pod ${podUid} runs here`);
    const container = pod.cgroup.child(containerId(podUid, 0));
    const child = this.#spawn(container, command);
    pod.processes.push(child);
    return child;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    for (const uid of [...this.#pods.keys()]) await this.#end(uid);
    await this.#root?.remove();
  }

  async #watch(): Promise<void> {
    const { cluster, node, log } = this.#options;
    const { signal } = this.#stopping;
    const fieldSelector = `spec.nodeName=${node}`;
    const { items, resourceVersion } = await cluster.list(KIND.Pod, { fieldSelector });
    try {
      for (const pod of items) await this.#begin(pod as Pod);
      for await (const event of cluster.watch(KIND.Pod, { fieldSelector, resourceVersion, signal })) {
        if (event.type === 'ADDED') await this.#begin(event.object as Pod);
        if (event.type === 'DELETED') await this.#end(event.object.metadata.uid as string);
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'the kubelet lost its watch');
    }
  }

  async #begin(pod: Pod): Promise<void> {
    const uid = pod.metadata.uid as string;
    if (this.#pods.has(uid)) return;
    if (this.#root) {
      const cgroup = this.#root.child('kubepods').child('besteffort').child(`pod${uid}`);
      const processes = pod.spec.containers.map((container, index) =>
        this.#spawn(cgroup.child(containerId(uid, index)), [
          ...(container.command ?? ['sleep', 'infinity']),
          ...(container.args ?? []),
        ]),
      );
      this.#pods.set(uid, { cgroup, processes });
    }
    await this.#options.cluster.patch(
      KIND.Pod,
      { name: pod.metadata.name as string, namespace: pod.metadata.namespace },
      {
        status: {
          phase: 'Running',
          containerStatuses: pod.spec.containers.map(({ name }, index) => ({
            name,
            containerID: `containerd://${containerId(uid, index)}`,
            ready: true,
          })),
        },
      },
      { subresource: 'status' },
    );
  }

  async #end(uid: string): Promise<void> {
    const pod = this.#pods.get(uid);
    if (!pod) return;
    this.#pods.delete(uid);
    const gone = pod.processes.map((child) => (child.exitCode ?? child.signalCode) || once(child, 'exit'));
    await pod.cgroup.kill();
    await Promise.all(gone);
    await pod.cgroup.remove();
  }

  /** A child moves itself into the cgroup before it becomes the container's command. */
  #spawn(cgroup: Cgroup, command: string[]): ChildProcess {
    return spawn('/bin/sh', ['-c', 'echo 0 > "$0" && exec "$@"', cgroup.procs, ...command], {
      env: { PATH: process.env.PATH, ...this.#options.env },
      stdio: 'ignore',
    });
  }
}

/** 64 hex digits, as containerd names containers. */
function containerId(podUid: string, index: number): string {
  return createHash('sha256').update(`${podUid}/${index}`).digest('hex');
}
