import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { Detection, DetectionReportAnswer } from '../../api/detection.ts';
import type { Incident } from '../../api/incident.ts';
import {
  AGENT_USER,
  CA_CONFIG_MAP,
  SYSTEM_NAMESPACE,
  TOKEN_AUDIENCE,
  WEBHOOK_USER,
} from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { SentryPolicySpec } from '../../api/sentry-policy.ts';
import type { HttpCluster } from '../../kube/http/cluster.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';
import { webhookConfiguration } from '../../webhook/configuration.ts';
import { quarantinePolicy } from '../../webhook/quarantine-policy.ts';
import { detectionIn } from '../webhook/detections.ts';
import { type AuditedRequest, auditedRequests, WRITES_POLICY } from './audit-log.ts';
import { clusterFolder, type RunningCluster, startCluster } from './cluster.ts';
import { writeKubeconfig } from './credentials.ts';
import { commandOf, daemons, isAlive, startDaemon } from './daemon.ts';
import { eventually } from './eventually.ts';
import { Front } from './front.ts';
import { must } from './install.ts';
import { Replica } from './replica.ts';
import { Tap } from './tap.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NODE = 'n1';
const LEASE_SECONDS = 3;
const HEARTBEAT_MS = 5_000;
const AUDIT_LOG = 'audit.log';

/**
 * A real control plane with its controllers, and two replicas of the webhook as processes of their own, with the rights
 * of the manifest and no others. No kubelet stands behind the one node: pods are bound to it and do not run.
 */
export class ResponseScene {
  readonly cluster: RunningCluster;
  readonly admin: HttpCluster;
  /** With the rights of the webhook. */
  readonly ours: HttpCluster;
  readonly replicas: Replica[] = [];
  readonly #front: Front;
  readonly #token: string;
  readonly #heart: NodeJS.Timeout;
  #agentToken = '';
  #ca = '';

  private constructor(
    cluster: RunningCluster,
    clients: { admin: HttpCluster; ours: HttpCluster },
    front: Front,
    token: string,
  ) {
    this.cluster = cluster;
    this.admin = clients.admin;
    this.ours = clients.ours;
    this.#front = front;
    this.#token = token;
    // The API server may be away.
    this.#heart = setInterval(() => void beat(this.admin).catch(() => {}), HEARTBEAT_MS);
  }

  static async open(
    name: string,
    response: NonNullable<SentryPolicySpec['response']> = {},
    policy: string = WRITES_POLICY,
  ): Promise<ResponseScene> {
    const cluster = await startCluster({ name, audit: { file: AUDIT_LOG, policy } });
    let opened: ResponseScene | undefined;
    try {
      const admin = await connectCluster({ kubeconfig: cluster.kubeconfig });
      const front = await Front.open();
      await install(cluster, admin, front.port, response);
      const token = await admin.createToken(
        { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook' },
        { audience: 'https://kubernetes.default.svc', expirationSeconds: 3600 },
      );
      const kubeconfig = join(cluster.folder, 'ours.kubeconfig');
      const caFile = join(cluster.folder, 'apiserver', 'apiserver.crt');
      writeKubeconfig({ file: kubeconfig, server: cluster.url, caFile, token });
      const ours = await connectCluster({ kubeconfig });
      const scene = new ResponseScene(cluster, { admin, ours }, front, token);
      opened = scene;
      // Both, or one that fails would leave the other one behind.
      const started = await Promise.allSettled(['one', 'two'].map((each) => scene.startReplica(each)));
      const failed = started.find(({ status }) => status === 'rejected');
      if (failed) throw (failed as PromiseRejectedResult).reason;
      await scene.#meetTheAgent();
      return scene;
    } catch (error) {
      await (opened?.close() ?? cluster.stop());
      throw error;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#heart);
    await Promise.all(this.replicas.map((replica) => replica.end()));
    await Promise.all(this.replicas.map(({ tap }) => tap.close()));
    this.#front.close();
    await Promise.all([this.admin, this.ours].map((client) => client.close()));
    await this.cluster.stop();
  }

  /** In place of the one of that name, if there was one. */
  async startReplica(name: string, skewMs = 0): Promise<Replica> {
    const at = this.replicas.findIndex((each) => each.name === name);
    if (at >= 0) {
      await this.replicas[at]?.end();
      await this.replicas[at]?.tap.close();
    }
    const folder = clusterFolder(this.cluster.name);
    const tap = await Tap.open(this.cluster);
    const kubeconfig = join(folder, `${name}.kubeconfig`);
    const caFile = join(folder, `${name}.crt`);
    writeFileSync(caFile, tap.ca);
    writeKubeconfig({ file: kubeconfig, server: tap.url, caFile, token: this.#token });
    const front = this.#front.port;
    const options = { name, kubeconfig, tap, folder, front, leaseSeconds: LEASE_SECONDS, skewMs };
    const replica = await Replica.start(options);
    if (at >= 0) this.replicas[at] = replica;
    else this.replicas.push(replica);
    this.#front.leadsTo(this.replicas.map(({ port }) => port));
    return replica;
  }

  /** Kills the API server; answers what starts it again, with everything that it forgot compacted away. */
  async killApiServer(): Promise<() => Promise<void>> {
    const { folder, kubeconfig } = this.cluster;
    const running = daemons(folder);
    const apiServer = running.findLast(({ name }) => name === 'kube-apiserver');
    const etcd = running.findLast(({ name }) => name === 'etcd');
    if (!apiServer || !etcd) throw new Error('There is no control plane.');
    const command = commandOf(apiServer);
    const endpoint = commandOf(etcd).find((word) => word.startsWith('--listen-client-urls='));
    process.kill(apiServer.pid, 'SIGKILL');
    await eventually('end of the API server', () => !isAlive(apiServer));
    return async () => {
      await compact(endpoint?.split('=')[1] ?? '');
      startDaemon(folder, 'kube-apiserver', command);
      const admin = await connectCluster({ kubeconfig });
      await eventually('API server', () => admin.list(KIND.Incident).catch(() => undefined));
      await admin.close();
    };
  }

  /** The replica that holds the lease and lives. */
  leader(): Promise<Replica> {
    return eventually('leader', async () => {
      const lease = await this.admin
        .get(KIND.Lease, { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook' })
        .catch(() => undefined);
      const { holderIdentity } = (lease?.spec ?? {}) as { holderIdentity?: string };
      return this.replicas.find(({ name, isAlive }) => isAlive && name === holderIdentity);
    });
  }

  /** A namespace with a DaemonSet in it whose template is its own; answers the pod on the node. */
  async populate(namespace: string): Promise<KubeObject> {
    await this.admin.create(KIND.Namespace, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace },
    });
    await this.admin.create(KIND.DaemonSet, daemonSet(namespace, 'collector', ['collect', namespace]));
    await eventually(`default account of ${namespace}`, () =>
      this.admin.get(KIND.ServiceAccount, { namespace, name: 'default' }),
    );
    return this.podOnNode(namespace);
  }

  podOnNode(namespace: string): Promise<KubeObject> {
    return eventually(`pod of ${namespace} on ${NODE}`, async () => {
      const { items } = await this.admin.list(KIND.Pod, {
        namespace,
        fieldSelector: `spec.nodeName=${NODE}`,
      });
      return items[0];
    });
  }

  /** As the agent of the node: whoever does not answer is asked again, one replica after the other. */
  async report(detections: Detection[], first = this.replicas[0]): Promise<string[]> {
    const acknowledged = new Set<string>();
    const order = [first, ...this.replicas.filter((each) => each !== first)];
    let turn = 0;
    await eventually('acknowledgement', async () => {
      const replica = order[turn++ % order.length];
      const left = detections.filter(({ id }) => !acknowledged.has(id));
      const answer = replica?.isAlive ? await this.reportOnce(left, replica) : undefined;
      for (const id of answer?.acknowledged ?? []) acknowledged.add(id);
      if (answer?.rejected?.length) throw new Error(JSON.stringify(answer.rejected[0]));
      return acknowledged.size === detections.length;
    });
    return [...acknowledged];
  }

  /** Undefined when it was not answered or turned away. */
  async reportOnce(detections: Detection[], replica: Replica): Promise<DetectionReportAnswer | undefined> {
    const dispatcher = new Agent({ allowH2: false, connect: { ca: this.#ca } });
    try {
      const { statusCode, body } = await request(`${replica.url}/v1/detections`, {
        method: 'POST',
        dispatcher,
        headers: { authorization: `Bearer ${this.#agentToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          apiVersion: 'kubesentry.io/v1alpha1',
          kind: 'DetectionReport',
          node: NODE,
          detections,
        }),
      });
      const answer = await body.json();
      return statusCode === 200 ? (answer as DetectionReportAnswer) : undefined;
    } catch {
      return undefined;
    } finally {
      await dispatcher.destroy();
    }
  }

  async incidentIn(namespace: string): Promise<Incident | undefined> {
    const { items } = await this.admin.list(KIND.Incident);
    return items.find(({ spec }) => spec.namespace === namespace);
  }

  /** The namespace's incident once all six steps are done; raises with what they say when that takes too long. */
  async finished(namespace: string): Promise<Incident> {
    let steps: NonNullable<NonNullable<Incident['status']>['steps']> = [];
    return eventually(`end of the playbook in ${namespace}`, async () => {
      const incident = await this.incidentIn(namespace).catch(() => undefined);
      steps = incident?.status?.steps ?? [];
      return steps.length === 6 && steps.every(({ state }) => state === 'Done') ? incident : undefined;
    }).catch((error: Error) => {
      const said = steps.map(({ step, state, message }) => `${step} ${state}: ${message}`);
      throw new Error([error.message, ...said].join('\n'), { cause: error });
    });
  }

  /** What the webhook's replicas changed, by the API server's own record. */
  async writesOfOurs(): Promise<AuditedRequest[]> {
    return this.requests().filter(({ user, code }) => user === WEBHOOK_USER && code < 300);
  }

  /** All that the audit policy records. */
  requests(): AuditedRequest[] {
    return auditedRequests(join(this.cluster.folder, AUDIT_LOG));
  }

  /** A token of the node's agent, and the CA that replicas are known by. */
  async #meetTheAgent(): Promise<void> {
    const name = AGENT_USER.split(':').at(-1) as string;
    const agent = await this.admin.create(KIND.Pod, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: SYSTEM_NAMESPACE, name: `${name}-${NODE}` },
      spec: { nodeName: NODE, serviceAccountName: name, containers: [{ name: 'agent', image: 'agent' }] },
    });
    const pod = { name: agent.metadata.name as string, uid: agent.metadata.uid as string };
    this.#agentToken = await this.admin.createToken(
      { namespace: SYSTEM_NAMESPACE, name },
      { audience: TOKEN_AUDIENCE, expirationSeconds: 3600, pod },
    );
    // A replica is ready a moment before its CA is published.
    this.#ca = await eventually('published CA', async () => {
      const key = { namespace: SYSTEM_NAMESPACE, name: CA_CONFIG_MAP };
      const published = (await this.admin.get(KIND.ConfigMap, key)) as
        | { data?: Record<string, string> }
        | undefined;
      return published?.data?.['ca.crt'];
    });
  }
}

/** A detection that suffices to contain. */
export function mining(pod: KubeObject, more: Partial<Detection> = {}): Detection {
  return detectionIn(pod, { time: new Date().toISOString(), evidence: {}, ...more });
}

export function daemonSet(
  namespace: string,
  name: string,
  command: string[],
  labels: Record<string, string> = {},
) {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { namespace, name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, ...labels } },
        spec: { containers: [{ name: 'main', image: 'registry.example.com/app:1', command }] },
      },
    },
  };
}

/**
 * Makes etcd forget all but the latest version of everything (its HTTP gateway, api/v3/kv/compact): who was watching
 * from an earlier version cannot go on from there.
 */
async function compact(etcd: string): Promise<void> {
  const ask = async (path: string, body: object) =>
    (await request(`${etcd}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) })).body.json();
  const { header } = (await ask('range', { key: 'AA==' })) as { header: { revision: string } };
  await ask('compaction', { revision: header.revision, physical: true });
}

/**
 * What a kubelet says of its node: after forty seconds of silence nothing would be scheduled there
 * (--node-monitor-grace-period).
 */
async function beat(admin: HttpCluster): Promise<void> {
  const room = { cpu: '1000', memory: '1000Gi', pods: '10000' };
  const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime: new Date().toISOString() }];
  const status = { allocatable: room, capacity: room, conditions };
  await admin.patch(KIND.Node, { name: NODE }, { status }, { subresource: 'status' });
}

async function install(
  cluster: RunningCluster,
  admin: HttpCluster,
  port: number,
  response: NonNullable<SentryPolicySpec['response']>,
): Promise<void> {
  const files = ['namespace', 'crds', 'webhook-rbac', 'agent-rbac'];
  const paths = files.flatMap((file) => ['-f', join(ROOT, 'manifests', 'base', `${file}.yaml`)]);
  await must(cluster, ['apply', '--server-side', ...paths]);
  await must(cluster, ['wait', '--for=condition=Established', '--timeout=15s', 'crd', '--all']);
  for (const object of [webhookConfiguration({ url: `https://127.0.0.1:${port}` }), ...quarantinePolicy()]) {
    await must(cluster, ['apply', '--server-side', '-f', '-'], JSON.stringify(object));
  }
  await admin.create(KIND.SentryPolicy, {
    apiVersion: 'kubesentry.io/v1alpha1',
    kind: 'SentryPolicy',
    metadata: { name: 'response', namespace: SYSTEM_NAMESPACE },
    spec: { response },
  });
  await admin.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
  await beat(admin);
}
