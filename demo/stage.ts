import type { Incident } from '../api/incident.ts';
import type { KubeObject } from '../api/object.ts';
import type { PlaybookStep } from '../api/playbook.ts';
import type { Quarantine } from '../api/quarantine.ts';

/** What the API server said to a request. */
export type Answer = { admitted: true } | { admitted: false; message: string };

/** How many bytes of a kind of traffic arrived so far. */
export interface Traffic {
  /** From the attacked pod to the pool. */
  pool: number;
  /** From an innocent neighbour pod to its own service. */
  neighbour: number;
}

/**
 * What the story needs from a cluster. The embedded stage keeps its objects in memory and runs pods as
 * processes in real cgroups; the real stage is a Kubernetes with kubelet and containerd.
 */
export interface Stage {
  readonly cluster: 'embedded' | 'real';
  /** ebpf: events come from this kernel. replay: from a recording, because eBPF cannot run here. */
  readonly sensor: 'ebpf' | 'replay';
  /** Why the sensor is not ebpf. */
  readonly sensorReason?: string | undefined;
  /** As a user with the right to do so. */
  create(object: KubeObject): Promise<Answer>;
  /** The pod that a DaemonSet runs on our one node, once its processes run. */
  runningPod(namespace: string, daemonSet: string): Promise<string>;
  /** Someone gets into the pod through the application and mines; returns when the first command is started. */
  attack(namespace: string, pod: string): Promise<void>;
  exec(namespace: string, pod: string, command: string[]): Promise<Answer>;
  deletePod(namespace: string, pod: string): Promise<void>;
  /** The message of the event that says why a DaemonSet cannot create its pod. */
  respawnRefusal(namespace: string, daemonSet: string, notBefore: Date): Promise<string>;
  incident(namespace: string): Promise<Incident>;
  /** Once it is active. */
  quarantine(namespace: string): Promise<Quarantine>;
  /** As the one on call, with the plugin. */
  approve(incident: string, steps: readonly PlaybookStep[]): Promise<void>;
  /** The incident once the response has done a step. */
  afterStep(namespace: string, step: PlaybookStep): Promise<Incident>;
  /** As Markdown, with the plugin. */
  report(incident: string): Promise<string>;
  namespaceLabels(namespace: string): Promise<Record<string, string>>;
  release(quarantine: Quarantine): Promise<void>;
  traffic(): Promise<Traffic>;
  stop(): Promise<void>;
}
