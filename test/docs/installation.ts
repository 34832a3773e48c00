import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { API_VERSION, CA_CONFIG_MAP, SYSTEM_NAMESPACE, TOKEN_AUDIENCE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { HttpCluster } from '../../kube/http/cluster.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';
import { type RunningCluster, startCluster } from '../cluster/cluster.ts';
import { writeKubeconfig } from '../cluster/credentials.ts';
import { eventually } from '../cluster/eventually.ts';
import { ADDRESS } from './address.ts';
import { ROOT } from './blocks.ts';
import { PretendNode } from './pretend-node.ts';

/** What the manifest says; the Service leads here. */
const PORTS = { https: 8443, probes: 8080 };

/**
 * A real control plane on which `kubectl apply -f manifests/install.yaml` does what it does for users, but that the
 * webhook of its Deployment runs as a process of this machine, with the service account that the manifest gives it.
 */
export class PlaceToInstall {
  readonly server: RunningCluster;
  readonly admin: HttpCluster;
  #node: PretendNode | undefined;
  #webhook: ChildProcess | undefined;

  private constructor(server: RunningCluster, admin: HttpCluster) {
    this.server = server;
    this.admin = admin;
  }

  static async open(name: string): Promise<PlaceToInstall> {
    const server = await startCluster({ name });
    const admin = await connectCluster({ kubeconfig: server.kubeconfig });
    const place = new PlaceToInstall(server, admin);
    place.#node = await PretendNode.join(admin, (pod) => place.#startFor(pod));
    return place;
  }

  async close(): Promise<void> {
    await this.#node?.leave();
    await this.stopWebhook();
    await this.admin.close();
    await this.server.stop();
  }

  async stopWebhook(): Promise<void> {
    const webhook = this.#webhook;
    this.#webhook = undefined;
    if (!webhook || webhook.exitCode !== null) return;
    const ended = once(webhook, 'exit');
    webhook.kill('SIGTERM');
    await ended;
  }

  async #startFor({ metadata }: KubeObject): Promise<void> {
    const isWebhook = metadata.labels?.['app.kubernetes.io/name'] === 'kubesentry-webhook';
    if (!isWebhook) return;
    // Replicas share the address, so that one runs at a time: the one of the newest pod.
    await this.stopWebhook();
    const folder = this.server.folder;
    const token = await this.admin.createToken(
      { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook' },
      { audience: 'https://kubernetes.default.svc', expirationSeconds: 3600 },
    );
    const kubeconfig = join(folder, 'webhook.kubeconfig');
    const caFile = join(folder, 'apiserver', 'apiserver.crt');
    writeKubeconfig({ file: kubeconfig, server: this.server.url, caFile, token });
    this.#webhook = spawn(
      process.execPath,
      [
        ...[join(ROOT, 'cli/kubesentry.ts'), 'webhook', '--kubeconfig', kubeconfig, '--log-level', 'error'],
        ...['--host', ADDRESS, '--port', `${PORTS.https}`, '--probe-port', `${PORTS.probes}`],
        ...['--drain-seconds', '0'],
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    await eventually('the webhook is ready', async () => {
      if (this.#webhook?.exitCode !== null) throw new Error('The webhook ended.');
      const answer = await fetch(`http://${ADDRESS}:${PORTS.probes}/readyz`).catch(() => undefined);
      return answer?.ok;
    });
  }

  /** A DaemonSet of this name that mines, as the agent of the node reports it; answers the name of the incident. */
  async attack(namespace: string, name: string): Promise<string> {
    const { admin } = this;
    const labels = { app: name };
    const container = { name: 'main', image: 'registry.example.com/metrics:1', command: ['collect', name] };
    await admin.create(KIND.DaemonSet, {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { namespace, name },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    });
    const runningPod = async (where: string, label: string) =>
      (await admin.list(KIND.Pod, { namespace: where, labelSelector: label })).items.find(
        (pod) => (pod.status as { phase?: string } | undefined)?.phase === 'Running',
      );
    const pod = await eventually(`a pod of ${name}`, () => runningPod(namespace, `app=${name}`));
    const agent = await eventually('the agent', () =>
      runningPod(SYSTEM_NAMESPACE, 'app.kubernetes.io/name=kubesentry-agent'),
    );
    await this.#report(agent, detectionIn(pod));
    const incident = await eventually(`an incident of ${name}`, async () =>
      (await admin.list(KIND.Incident)).items.find(({ spec }) => spec.workload.name === name),
    );
    return incident.metadata.name as string;
  }

  async #report({ metadata }: KubeObject, detection: object): Promise<void> {
    const token = await this.admin.createToken(
      { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-agent' },
      {
        audience: TOKEN_AUDIENCE,
        expirationSeconds: 600,
        pod: { name: metadata.name as string, uid: metadata.uid as string },
      },
    );
    const ca = await eventually('the CA', async () => {
      const key = { namespace: SYSTEM_NAMESPACE, name: CA_CONFIG_MAP };
      const found = await this.admin.get(KIND.ConfigMap, key);
      return (found as { data?: Record<string, string> } | undefined)?.data?.['ca.crt'];
    });
    const servername = `kubesentry-webhook.${SYSTEM_NAMESPACE}.svc`;
    const dispatcher = new Agent({ connect: { ca, servername } });
    const { statusCode, body } = await request(`https://${ADDRESS}:${PORTS.https}/v1/detections`, {
      method: 'POST',
      dispatcher,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        apiVersion: API_VERSION,
        kind: 'DetectionReport',
        node: 'n1',
        detections: [detection],
      }),
    });
    const answer = await body.text();
    await dispatcher.close();
    if (statusCode !== 200) throw new Error(`The webhook answered ${statusCode}: ${answer}`);
  }
}

function detectionIn({ metadata }: KubeObject): object {
  const { name, namespace, uid = '' } = metadata;
  return {
    id: createHash('md5').update(uid).digest('hex'),
    time: new Date().toISOString(),
    rule: 'pool-protocol',
    severity: 'critical',
    confidence: 1,
    action: 'none',
    process: { pid: 4242, exe: '/tmp/kworker', argv: ['./kworker'], uid: 0, sha256: null, ancestors: [] },
    container: {
      id: null,
      cgroup: `/kubepods/besteffort/pod${uid}/x`,
      podUid: uid,
      name: null,
      namespace,
      pod: name,
      workload: null,
      image: null,
    },
    evidence: {},
    repeats: 0,
  };
}
