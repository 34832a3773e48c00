import { once } from 'node:events';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { text } from 'node:stream/consumers';
import type { Detection, DetectionReportAnswer } from '../../../api/detection.ts';
import { API_VERSION } from '../../../api/names.ts';
import { inParallel, nodeName } from './population.ts';
import type { Rig } from './rig.ts';

/** What an agent watches, as runtime/cluster-watch.ts does. */
const watchesOf = (node: string): string[] => [
  '/apis/kubesentry.io/v1alpha1/quarantines?',
  '/apis/kubesentry.io/v1alpha1/namespaces/kubesentry-system/sentrypolicies?',
  `/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${node}`)}&`,
];

const OPENING = 40;

/** Answer to one report; status 0 when the connection broke off before there was one. */
export interface Answer {
  status: number;
  retryAfter: number;
  body: DetectionReportAnswer | undefined;
}

/** What a node's agent is to the servers: three watches over one connection, and another one to the webhook. */
export class LightAgent {
  readonly node: string;
  /** Watches that the API server has answered and not ended. */
  held = 0;
  /** Bytes of watch events. */
  received = 0;
  readonly #token: string;
  #api: ClientHttp2Session | undefined;
  #webhook: Promise<ClientHttp2Session> | undefined;
  #connect: () => Promise<ClientHttp2Session> = () => Promise.reject(new Error('not open'));

  constructor(node: string, { mint }: Rig) {
    this.node = node;
    this.#token = mint.forWebhook(node);
  }

  /** Resolves when all watches are held and the webhook knows the token. */
  async open({ cluster, webhook, mint }: Rig): Promise<void> {
    this.#api = await sessionTo(cluster.url, cluster.ca);
    const authorization = `Bearer ${mint.forApiServer()}`;
    for (const path of watchesOf(this.node)) await this.#watch(this.#api, path, authorization);
    this.#connect = () => sessionTo(webhook.url, webhook.ca);
    const { status } = await this.report([]);
    if (status !== 200) throw new Error(`the webhook answers ${status} to ${this.node}`);
  }

  /** Does not wait for reports that are under way. */
  async report(detections: readonly Detection[]): Promise<Answer> {
    const session = await this.#session();
    const stream = session.request({
      ':method': 'POST',
      ':path': '/v1/detections',
      'content-type': 'application/json',
      authorization: `Bearer ${this.#token}`,
    });
    stream.end(
      JSON.stringify({ apiVersion: API_VERSION, kind: 'DetectionReport', node: this.node, detections }),
    );
    try {
      const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
      const body = await text(stream);
      const status = Number(headers[':status']);
      return {
        status,
        retryAfter: Number(headers['retry-after'] ?? 0),
        body: status === 200 ? (JSON.parse(body) as DetectionReportAnswer) : undefined,
      };
    } catch {
      return { status: 0, retryAfter: 1, body: undefined };
    }
  }

  close(): void {
    this.#api?.destroy();
    void this.#webhook?.then((session) => session.destroy());
  }

  /** The server closes one that was silent for two minutes; an agent then opens another. */
  async #session(): Promise<ClientHttp2Session> {
    const asked = this.#webhook;
    const session = await asked;
    if (session && !session.closed && !session.destroyed) return session;
    if (this.#webhook === asked) this.#webhook = this.#connect();
    return this.#session();
  }

  async #watch(api: ClientHttp2Session, path: string, authorization: string): Promise<void> {
    const stream = api.request({
      ':path': `${path}watch=true&allowWatchBookmarks=true&timeoutSeconds=3600`,
      authorization,
      accept: 'application/json',
    });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    if (headers[':status'] !== 200)
      throw new Error(`the API server answers ${headers[':status']} to ${path}`);
    this.held++;
    stream.on('data', (chunk: Buffer) => {
      this.received += chunk.length;
    });
    stream.on('error', () => {});
    stream.once('close', () => {
      this.held--;
    });
  }
}

async function sessionTo(url: string, ca: string): Promise<ClientHttp2Session> {
  const session = connect(url, { ca });
  // What is under way fails with it, and that is seen.
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}

/** Opens agents for the nodes from number `from` on. */
export async function openAgents(rig: Rig, from: number, to: number): Promise<LightAgent[]> {
  const numbers = Array.from({ length: to - from }, (_, offset) => from + offset);
  return inParallel(
    numbers,
    async (number) => {
      const agent = new LightAgent(nodeName(number), rig);
      await agent.open(rig);
      return agent;
    },
    OPENING,
  );
}
