import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Incident } from '../../api/incident.ts';
import { BREAK_GLASS_GROUP } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { type RunningCluster, runningCluster } from '../../test/cluster/cluster.ts';
import { ctr } from '../../test/cluster/containerd.ts';
import { installKubesentry } from '../../test/cluster/install.ts';
import type { Answer, Stage } from '../stage.ts';
import { attackFrom } from '../stand-in/miner.ts';
import { until } from '../until.ts';
import { COUNT, DEPOT, loadImages, OUTSIDE, scenery } from './props.ts';

const execFileAsync = promisify(execFile);

/** Somebody who may overrule Kubesentry, and everything else. */
const AS_ON_CALL = ['--as=oncall', `--as-group=${BREAK_GLASS_GROUP}`, '--as-group=system:masters'];

const PLUGIN = join(import.meta.dirname, '..', '..', 'cli', 'kubesentry.ts');

const INSTALL = join(import.meta.dirname, '..', '..', 'manifests', 'install.yaml');

/**
 * The stage that is a real Kubernetes: Kubesentry installed from its images and manifest as a user does it, pods run
 * by containerd. The cluster has to be up; afterwards it is as it was before.
 */
export async function openRealStage(name: string, log: (line: string) => void): Promise<Stage> {
  const cluster = runningCluster(name);
  loadImages((file) => cluster.loadImage(file));
  const kubectl = kubectlOf(cluster);
  const stop = async () => {
    // What is contained is released with its Quarantine; then nothing of ours holds on to anything.
    await cluster.kubectl(['delete', 'quarantines', '--all', ...AS_ON_CALL]);
    await cluster.kubectl(['delete', '-f', INSTALL, '--ignore-not-found']);
    await cluster.kubectl(['delete', 'namespace', 'shop', 'billing', OUTSIDE, '--ignore-not-found']);
  };
  try {
    await installKubesentry(cluster, log);
    await kubectl(['apply', '-f', '-'], list(scenery()));
    await kubectl(['wait', '--for=condition=Ready', 'pod', '--all', '-n', OUTSIDE, '--timeout=60s']);
    await kubectl(['wait', '--for=condition=Ready', 'pod', '--all', '-n', 'billing', '--timeout=60s']);
  } catch (error) {
    await stop();
    throw error;
  }
  return stageOn(cluster, stop);
}

function stageOn(cluster: RunningCluster, stop: () => Promise<void>): Stage {
  const kubectl = kubectlOf(cluster);
  const get = async <T>(...args: string[]) => JSON.parse(await kubectl(['get', ...args, '-o', 'json'])) as T;
  const items = async <T>(...args: string[]) => (await get<{ items: T[] }>(...args)).items;
  const received = async (namespace: string, pod: string) =>
    Number(await kubectl(['exec', '-n', namespace, pod, '--', ...COUNT]));

  const runningPod = async (namespace: string, daemonSet: string) => {
    const pods = await items<KubeObject>('pods', '-n', namespace, '--field-selector', 'status.phase=Running');
    return pods.find(
      ({ metadata }) =>
        !metadata.deletionTimestamp && metadata.ownerReferences?.some((owner) => owner.name === daemonSet),
    )?.metadata.name;
  };

  return {
    cluster: 'real',
    sensor: 'ebpf',
    stop,
    create: (object) => answer(cluster, ['apply', '-f', '-'], JSON.stringify(object)),
    exec: (namespace, pod, command) => answer(cluster, ['exec', '-n', namespace, pod, '--', ...command]),
    runningPod: (namespace, daemonSet) =>
      until(`pod of ${namespace}/${daemonSet}`, () => runningPod(namespace, daemonSet)),
    async attack(namespace, name) {
      // Straight into the container, as through a hole in its application: the API server does not see it.
      const pod = await get<{ status: { containerStatuses: { containerID: string }[] } }>(
        'pod',
        '-n',
        namespace,
        name,
      );
      const id = pod.status.containerStatuses[0]?.containerID.replace('containerd://', '') as string;
      const [command, ...args] = ctr(cluster.folder);
      // Over standard input: on a command line of the node it would be an attack on the node.
      const shell = spawn(command, [...args, 'tasks', 'exec', '--exec-id', 'attack', id, 'sh'], {
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      shell.stdin.end(attackFrom(DEPOT, '/tmp'));
      shell.unref();
    },
    async deletePod(namespace, pod) {
      await kubectl(['delete', 'pod', '-n', namespace, pod, '--grace-period=0', '--force', '--wait=false']);
    },
    async respawnRefusal(namespace, daemonSet, notBefore) {
      const selector = `reason=FailedCreate,involvedObject.name=${daemonSet}`;
      const find = async () =>
        (
          await items<{ message: string; lastTimestamp: string }>(
            'events',
            '-n',
            namespace,
            '--field-selector',
            selector,
          )
        ).find(
          // Times of events have no milliseconds.
          ({ lastTimestamp }) => Date.parse(lastTimestamp) >= notBefore.getTime() - 1_000,
        );
      return (await until('event of the controller', find)).message;
    },
    incident: (namespace) =>
      until(
        'incident with a detection',
        async () => (await items<Incident>('incidents')).find(({ spec }) => spec.namespace === namespace),
        ({ status }) => (status?.detections.length ?? 0) > 0,
      ),
    quarantine: (namespace) =>
      until(
        'active quarantine',
        async () => (await items<Quarantine>('quarantines')).find(({ spec }) => spec.namespace === namespace),
        ({ status }) => status?.phase === 'Active',
      ),
    async approve(incident, steps) {
      await plugin(cluster, ['approve', incident, ...steps]);
    },
    report: (incident) => plugin(cluster, ['report', incident]),
    afterStep: (namespace, wanted) =>
      until(
        `step ${wanted}`,
        async () => (await items<Incident>('incidents')).find(({ spec }) => spec.namespace === namespace),
        ({ status }) => status?.steps?.find(({ step }) => step === wanted)?.state === 'Done',
      ),
    async namespaceLabels(namespace) {
      return (await get<KubeObject>('namespace', namespace)).metadata.labels ?? {};
    },
    async release({ metadata, spec }) {
      await kubectl(['delete', 'quarantine', metadata.name as string, ...AS_ON_CALL]);
      await until(
        'end of the quarantine',
        () => get<KubeObject>('namespace', spec.namespace),
        (namespace) => !namespace.metadata.labels?.['kubesentry.io/quarantine'],
      );
    },
    async traffic() {
      const [pool, neighbour] = await Promise.all([received(OUTSIDE, 'pool'), received('billing', 'ledger')]);
      return { pool, neighbour };
    },
  };
}

/** kubectl as the administrator; throws what it said when it failed. */
function kubectlOf(cluster: RunningCluster): (args: string[], input?: string) => Promise<string> {
  return async (args, input) => {
    const { status, stdout, stderr } = await cluster.kubectl(args, input);
    if (status !== 0) throw new Error(`kubectl ${args.slice(0, 3).join(' ')} ...: ${stderr.trim()}`);
    return stdout;
  };
}

/** The plugin as the one on call runs it, from where the API server can be reached. */
async function plugin({ enter, kubeconfig }: RunningCluster, args: string[]): Promise<string> {
  const [command = '', ...words] = [...enter, process.execPath, PLUGIN];
  const { stdout } = await execFileAsync(command, [
    ...words,
    ...args,
    '--kubeconfig',
    kubeconfig,
    ...AS_ON_CALL,
  ]);
  return stdout;
}

async function answer(cluster: RunningCluster, args: string[], input?: string): Promise<Answer> {
  const { status, stderr } = await cluster.kubectl(args, input);
  if (status === 0) return { admitted: true };
  if (stderr.includes('denied')) return { admitted: false, message: stderr.trim() };
  throw new Error(stderr.trim());
}

const list = (items: object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
