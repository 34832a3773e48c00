import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import type { Detection, DetectionReport, DetectionReportAnswer } from '../../../api/detection.ts';
import { SYSTEM_NAMESPACE, TOKEN_AUDIENCE, WEBHOOK_USER } from '../../../api/names.ts';
import { loadIndicators } from '../../../detection/load.ts';
import { KIND } from '../../../kube/kind.ts';
import { MemoryCluster } from '../../../kube/memory/cluster.ts';
import { ephemeralCertificate } from '../../../webhook/certificate-sources.ts';
import { type RunningWebhook, startWebhook } from '../../../webhook/start.ts';

export const NODE = 'bench-node';

const ACCOUNT = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-agent' };
const AGENT_POD = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-agent-1' };

/** How the network treats reports: not at all, well, or so that answers are lost. */
export type Network = 'cut' | 'open' | 'deaf';

/**
 * The real webhook over objects in memory, which can be restarted, and in front of it a relay that can be cut. The
 * relay notes what was acknowledged, and how often.
 */
export class ControlSide implements AsyncDisposable {
  network: Network = 'open';
  /** By id: the newest acknowledged version. */
  readonly acknowledged = new Map<string, Detection>();
  readonly #cluster = new MemoryCluster();
  readonly #onAcknowledged: (detection: Detection) => void;
  readonly #relay = createServer((incoming, response) => void this.#pass(incoming, response));
  #webhook: RunningWebhook | undefined;
  #way: Agent | undefined;

  private constructor(onAcknowledged: (detection: Detection) => void) {
    this.#onAcknowledged = onAcknowledged;
  }

  static async open(onAcknowledged: (detection: Detection) => void = () => {}): Promise<ControlSide> {
    const side = new ControlSide(onAcknowledged);
    await side.#furnish();
    await side.startWebhook();
    side.#relay.listen(0, '127.0.0.1');
    await once(side.#relay, 'listening');
    return side;
  }

  /** What the agent is told. */
  get url(): string {
    return `http://127.0.0.1:${(this.#relay.address() as AddressInfo).port}`;
  }

  /** PEM of the webhook that runs now. */
  get caBundle(): string {
    return this.#webhook?.caBundle ?? '';
  }

  /** As the kubelet puts it beside the agent; good for a day. */
  async token(): Promise<string> {
    const pod = await this.#cluster.get(KIND.Pod, AGENT_POD);
    const bound = { name: AGENT_POD.name, uid: pod?.metadata.uid as string };
    return this.#cluster.createToken(ACCOUNT, {
      audience: TOKEN_AUDIENCE,
      expirationSeconds: 86_400,
      pod: bound,
    });
  }

  async startWebhook(): Promise<void> {
    const groups = [
      'system:serviceaccounts',
      `system:serviceaccounts:${SYSTEM_NAMESPACE}`,
      'system:authenticated',
    ];
    this.#webhook = await startWebhook({
      cluster: this.#cluster.as({ username: WEBHOOK_USER, groups }),
      indicators: await loadIndicators(),
      certificates: await ephemeralCertificate(['127.0.0.1']),
      timeouts: { drain: 0 },
      log: pino({ level: 'silent' }),
    });
    await this.#webhook.ready;
    this.#way = new Agent({ connect: { ca: this.#webhook.caBundle } });
  }

  async stopWebhook(): Promise<void> {
    const webhook = this.#webhook;
    this.#webhook = undefined;
    await webhook?.close();
    await this.#way?.destroy();
  }

  /** A pod of the node that exists as an object; what runs in it is the caller's. */
  async makePod(name: string): Promise<string> {
    const pod = await this.#cluster.create(KIND.Pod, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', name },
      spec: { nodeName: NODE, containers: [{ name: 'main', image: 'registry.example/shop:1' }] },
    });
    return pod.metadata.uid as string;
  }

  /** Ids of all detections that stand in incidents; one that counts twice is there twice. */
  async detectionIds(): Promise<string[]> {
    const { items } = await this.#cluster.list(KIND.Incident);
    return items.flatMap(({ status }) => (status?.detections ?? []).map(({ id }) => id));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#relay.closeAllConnections();
    this.#relay.close();
    await this.stopWebhook();
  }

  async #furnish(): Promise<void> {
    const cluster = this.#cluster;
    await cluster.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
    for (const name of ['default', 'kube-system', SYSTEM_NAMESPACE, 'shop']) {
      await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    await cluster.create(KIND.ServiceAccount, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: ACCOUNT,
    });
    await cluster.create(KIND.Pod, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: AGENT_POD,
      spec: { nodeName: NODE, serviceAccountName: ACCOUNT.name, containers: [] },
    });
  }

  async #pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (this.network === 'cut' || !this.#webhook) return void incoming.destroy();
      let body = '';
      for await (const chunk of incoming) body += chunk;
      const answer = await request(new URL(incoming.url ?? '/', this.#webhook.url), {
        method: 'POST',
        ...(this.#way && { dispatcher: this.#way }),
        headers: {
          'content-type': 'application/json',
          authorization: incoming.headers.authorization ?? '',
        },
        body,
      });
      const text = await answer.body.text();
      // The webhook has it and the agent does not know: it will come again.
      if (this.network !== 'open') return void incoming.destroy();
      if (answer.statusCode === 200) this.#note(body, text);
      response.writeHead(answer.statusCode).end(text);
    } catch {
      // A webhook that is being stopped, which is what the agent has to live with.
      incoming.destroy();
    }
  }

  #note(body: string, text: string): void {
    const { detections } = JSON.parse(body) as DetectionReport;
    const taken = new Set((JSON.parse(text) as DetectionReportAnswer).acknowledged);
    for (const detection of detections) {
      if (!taken.has(detection.id)) continue;
      this.acknowledged.set(detection.id, detection);
      this.#onAcknowledged(detection);
    }
  }
}
