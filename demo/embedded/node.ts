import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Detection } from '../../api/detection.ts';
import { KubesentryError } from '../../api/errors.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Indicators } from '../../detection/indicators.ts';
import type { Cluster } from '../../kube/cluster.ts';
import type { Log } from '../../runtime/log.ts';
import { Reporter } from '../../runtime/reporter.ts';
import { Spool } from '../../runtime/spool.ts';
import { startAgent } from '../../runtime/start.ts';
import { cgroup2Mount } from './cgroup.ts';
import { Kubelet } from './kubelet.ts';

export interface NodeOptions {
  name: string;
  /** As the node's kubelet, and as its agent. */
  kubelet: Cluster;
  agent: Cluster;
  indicators: Indicators;
  /** Environment of every container. */
  env: Record<string, string>;
  /** Where and how the agent reports. */
  webhook: {
    url: string;
    ca: () => Promise<string | undefined>;
    token: () => Promise<string | undefined>;
    spool: string;
  };
  log: Log;
}

/** The one node of the embedded cluster: who runs its pods, and who watches them. */
export interface DemoNode {
  /** Why the kernel is not watched and a recording is played instead; undefined when it is. */
  readonly replayed: string | undefined;
  /** Someone gets into the pod and types `script`. */
  attack(pod: KubeObject, script: string): Promise<void>;
  close(): Promise<void>;
}

/** With real processes and the real agent where eBPF can run, with a recording of them where it cannot. */
export async function openNode(options: NodeOptions): Promise<DemoNode> {
  try {
    return await openLiveNode(options);
  } catch (error) {
    const reason = reasonToReplay(error);
    if (reason === undefined) throw error;
    return openReplayedNode(options, reason);
  }
}

async function openLiveNode({ name, kubelet: cluster, env, agent, ...rest }: NodeOptions): Promise<DemoNode> {
  const mount = cgroup2Mount();
  if (!mount) throw new KubesentryError('KERNEL_UNSUPPORTED', 'no cgroup v2 hierarchy is mounted');
  const cgroup = `/kubesentry-demo-${process.pid}`;
  const kubelet = new Kubelet({ cluster, node: name, cgroupRoot: join(mount, cgroup), env, log: rest.log });
  try {
    const { indicators, webhook, log } = rest;
    const watching = await startAgent({ node: name, cluster: agent, cgroup, indicators, webhook, log });
    kubelet.start();
    return {
      replayed: undefined,
      async attack(pod, script) {
        kubelet.run(pod.metadata.uid as string, ['sh', '-c', script]);
      },
      async close() {
        await watching.close();
        await kubelet.stop();
      },
    };
  } catch (error) {
    await kubelet.stop();
    throw error;
  }
}

/** What the agent of a machine with eBPF reported while the same story was played there, one detection a line. */
const RECORDING = join(import.meta.dirname, 'recording.jsonl');

async function openReplayedNode(options: NodeOptions, replayed: string): Promise<DemoNode> {
  const { name, kubelet: cluster, env, log, webhook } = options;
  const kubelet = new Kubelet({ cluster, node: name, cgroupRoot: undefined, env, log });
  const spool = await Spool.open(webhook.spool);
  const reporter = new Reporter({ ...webhook, node: name, spool, log });
  kubelet.start();
  reporter.start();
  return {
    replayed,
    async attack(pod) {
      for (const line of readFileSync(RECORDING, 'utf8').trimEnd().split('\n')) {
        await spool.put(retold(JSON.parse(line) as Detection, pod));
      }
      reporter.wake();
    },
    async close() {
      await reporter.close();
      await spool.close();
      await kubelet.stop();
    },
  };
}

/** The same detection, of this pod and of now. */
function retold(recorded: Detection, { metadata }: KubeObject): Detection {
  const { uid = '', name = '' } = metadata;
  const { container } = recorded;
  const moved = container && {
    ...container,
    pod: name,
    podUid: uid,
    cgroup: container.cgroup.replace(container.podUid ?? '', uid),
  };
  return { ...recorded, time: new Date().toISOString(), container: moved };
}

/** Undefined for an error that is not about what this machine lets us do. */
function reasonToReplay(error: unknown): string | undefined {
  if (error instanceof KubesentryError) {
    return ['KERNEL_UNSUPPORTED', 'PRIVILEGE_MISSING'].includes(error.code) ? error.message : undefined;
  }
  const { code, path } = error as NodeJS.ErrnoException;
  return code !== undefined && ['EACCES', 'EPERM', 'EROFS'].includes(code)
    ? `no right to make cgroups in ${path ?? 'the hierarchy'}`
    : undefined;
}
