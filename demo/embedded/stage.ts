import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { KubesentryError } from '../../api/errors.ts';
import {
  AGENT_USER,
  BREAK_GLASS_GROUP,
  SYSTEM_NAMESPACE,
  TOKEN_AUDIENCE,
  WEBHOOK_USER,
} from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { loadIndicators } from '../../detection/load.ts';
import { KIND, type Kind, type ResourceName } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { DaemonSetController } from '../../kube/memory/daemon-set-controller.ts';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';
import { startWebhook } from '../../webhook/start.ts';
import type { Answer, Stage } from '../stage.ts';
import { attackFrom } from '../stand-in/miner.ts';
import { until } from '../until.ts';
import { openDepot } from './depot.ts';
import { openNode } from './node.ts';
import { onCall } from './on-call.ts';
import { openSink } from './sink.ts';

const NODE = 'node-1';
const AGENT_POD = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-agent-1' };

const DEVELOPER = { username: 'dana', groups: ['developers', 'system:authenticated'] };
const ON_CALL = { username: 'oncall', groups: [BREAK_GLASS_GROUP, 'system:authenticated'] };
const WEBHOOK = serviceAccountUser(WEBHOOK_USER);
const AGENT = serviceAccountUser(AGENT_USER);

/**
 * The stage that needs no Kubernetes: objects in memory, the real webhook behind real TLS, the real agent on this
 * kernel, pods as processes in real cgroups. Everything of it is gone after `stop`.
 */
export async function openEmbeddedStage(): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'kubesentry-demo-'));
  const closers: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    return await open();
  } catch (error) {
    await stop();
    throw error;
  }

  async function open(): Promise<Stage> {
    const quiet = pino(
      { level: 'warn', base: null },
      pino.destination({ dest: join(folder, 'log'), sync: true }),
    );
    const indicators = await loadIndicators();
    const admin = new MemoryCluster();
    await furnish(admin);

    const pool = await openSink('{"id":1,"jsonrpc":"2.0","result":{"status":"OK"}}\n');
    closers.push(() => pool.close());
    const service = await openSink();
    closers.push(() => service.close());
    const depot = await openDepot(pool.port);
    closers.push(() => depot.close());

    const webhook = await startWebhook({
      cluster: admin.as(WEBHOOK),
      indicators,
      certificates: await ephemeralCertificate(['127.0.0.1']),
      register: 'here',
      // Nobody else talks to it: there is nothing to drain.
      timeouts: { drain: 0 },
      log: quiet,
    });
    closers.push(() => webhook.close());
    await webhook.ready;

    const controller = new DaemonSetController(admin, (error) => quiet.warn({ err: error }, 'controller'));
    closers.push(() => controller.stop());
    const agentPod = await admin.get(KIND.Pod, AGENT_POD);
    const account = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-agent' };
    const bound = { name: AGENT_POD.name, uid: agentPod?.metadata.uid as string };
    const node = await openNode({
      name: NODE,
      kubelet: admin.as({
        username: `system:node:${NODE}`,
        groups: ['system:nodes', 'system:authenticated'],
      }),
      agent: admin.as(AGENT),
      indicators,
      env: { LEDGER_SERVICE_HOST: '127.0.0.1', LEDGER_SERVICE_PORT: String(service.port) },
      webhook: {
        url: webhook.url,
        ca: async () => webhook.caBundle,
        token: () =>
          admin.createToken(account, { audience: TOKEN_AUDIENCE, expirationSeconds: 600, pod: bound }),
        spool: join(folder, 'spool'),
      },
      log: quiet,
    });
    closers.push(() => node.close());

    const developer = admin.as(DEVELOPER);
    const runningPod = async (namespace: string, owner: string) => {
      const { items } = await admin.list(KIND.Pod, { namespace, fieldSelector: 'status.phase=Running' });
      return items.find(({ metadata }) => metadata.ownerReferences?.some(({ name }) => name === owner))
        ?.metadata.name;
    };

    return {
      cluster: 'embedded',
      sensor: node.replayed === undefined ? 'ebpf' : 'replay',
      sensorReason: node.replayed,
      stop,
      create: (object) => answer(developer.create(kindOf(object), object)),
      exec: (namespace, name, command) =>
        answer(developer.connect({ namespace, name }, 'exec', { command, stdin: true, tty: true })),
      runningPod: (namespace, daemonSet) =>
        until(`pod of ${namespace}/${daemonSet}`, () => runningPod(namespace, daemonSet)),
      async attack(namespace, name) {
        const pod = await admin.get(KIND.Pod, { namespace, name });
        if (pod) await node.attack(pod, attackFrom(depot.url, folder));
      },
      deletePod: (namespace, name) => developer.delete(KIND.Pod, { namespace, name }),
      async respawnRefusal(namespace, daemonSet, notBefore) {
        const isIt = (event: KubeObject) =>
          event.reason === 'FailedCreate' &&
          (event.regarding as { name?: string }).name === daemonSet &&
          Date.parse(event.eventTime as string) >= notBefore.getTime();
        const find = async () => (await admin.list(KIND.Event, { namespace })).items.find(isIt);
        return (await until('event of the controller', find)).note as string;
      },
      incident: (namespace) =>
        until(
          'incident with a detection',
          async () =>
            (await admin.list(KIND.Incident)).items.find(({ spec }) => spec.namespace === namespace),
          ({ status }) => (status?.detections.length ?? 0) > 0,
        ),
      quarantine: (namespace) =>
        until(
          'active quarantine',
          async () =>
            (await admin.list(KIND.Quarantine)).items.find(({ spec }) => spec.namespace === namespace),
          ({ status }) => status?.phase === 'Active',
        ),
      ...onCall(admin.as(ON_CALL)),
      afterStep: (namespace, wanted) =>
        until(
          `step ${wanted}`,
          async () =>
            (await admin.list(KIND.Incident)).items.find(({ spec }) => spec.namespace === namespace),
          ({ status }) => status?.steps?.find(({ step }) => step === wanted)?.state === 'Done',
        ),
      async namespaceLabels(namespace) {
        return (await admin.get(KIND.Namespace, { name: namespace }))?.metadata.labels ?? {};
      },
      async release({ metadata, spec }) {
        await admin.as(ON_CALL).delete(KIND.Quarantine, { name: metadata.name as string });
        await until(
          'end of the quarantine',
          () => admin.get(KIND.Namespace, { name: spec.namespace }),
          (namespace) => !namespace.metadata.labels?.['kubesentry.io/quarantine'],
        );
      },
      traffic: async () => ({ pool: pool.received(), neighbour: service.received() }),
    };
  }
}

/** What is in a cluster before anything happens: a node, namespaces, the agent's identity. */
async function furnish(cluster: MemoryCluster): Promise<void> {
  await cluster.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
  for (const name of ['default', 'kube-system', SYSTEM_NAMESPACE, 'shop', 'billing']) {
    await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  const account = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-agent' };
  for (const metadata of [
    account,
    { namespace: 'shop', name: 'default' },
    { namespace: 'billing', name: 'default' },
  ]) {
    await cluster.create(KIND.ServiceAccount, { apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  }
  // The agent runs in this process; its pod is on another kubelet's books so that ours does not start it.
  await cluster.create(KIND.Pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: AGENT_POD,
    spec: { nodeName: NODE, serviceAccountName: account.name, containers: [] },
  });
}

function serviceAccountUser(username: string) {
  const [, , namespace] = username.split(':');
  return {
    username,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  };
}

function kindOf({ apiVersion, kind }: KubeObject): Kind {
  const found = Object.values<ResourceName>(KIND).find(
    (each) => each.kind === kind && each.apiVersion === apiVersion,
  );
  if (!found) throw new KubesentryError('USAGE', `The demo knows no ${apiVersion} ${kind}.`);
  return found as Kind;
}

async function answer(request: Promise<unknown>): Promise<Answer> {
  try {
    await request;
    return { admitted: true };
  } catch (error) {
    if (error instanceof KubesentryError && error.code === 'KUBE_REFUSED')
      return { admitted: false, message: error.message };
    throw error;
  }
}
