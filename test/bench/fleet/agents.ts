import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
} from 'node:http2';
import { text } from 'node:stream/consumers';
import { Client } from 'undici';
import type { Detection, DetectionReportAnswer } from '../../../api/detection.ts';
import { API_VERSION } from '../../../api/names.ts';
import { inParallel, nodeName } from './population.ts';
import type { Rig } from './rig.ts';

/** What an agent watches, as runtime/cluster-watch.ts does. */
const watchesOf = (node: string) => ({
  '/apis/kubesentry.io/v1alpha1/quarantines': '',
  '/apis/kubesentry.io/v1alpha1/namespaces/kubesentry-system/sentrypolicies': '',
  '/api/v1/pods': `&fieldSelector=${encodeURIComponent(`spec.nodeName=${node}`)}`,
});

/** From where each collection is watched. */
type Versions = Readonly<Record<string, string>>;

const WATCH = 'allowWatchBookmarks=true&timeoutSeconds=3600';

const OPENING = 40;

/** The webhook closes connections over which nothing came for two minutes; the fleet must not do so before. */
const HELD_MS = 600_000;

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
  /** What the API server said when it ended a watch with an error. */
  ended: string | undefined;
  readonly #token: string;
  #api: ClientHttp2Session | undefined;
  #webhook: Client | undefined;

  constructor(node: string, { mint }: Rig) {
    this.node = node;
    this.#token = mint.forWebhook(node);
  }

  /** Resolves when all watches are held and the webhook knows the token. */
  async open({ cluster, webhook, mint }: Rig, versions: Versions): Promise<void> {
    this.#api = await sessionTo(cluster.url, cluster.ca);
    const authorization = `Bearer ${mint.forApiServer()}`;
    for (const [path, selector] of Object.entries(watchesOf(this.node))) {
      const query = `${selector}&resourceVersion=${versions[path]}`;
      await this.#watch(this.#api, `${path}?watch=true&${WATCH}${query}`, authorization);
    }
    // As runtime/reporter.ts does, but that this one never lets go of its connection.
    this.#webhook = new Client(webhook.url, {
      allowH2: false,
      keepAliveTimeout: HELD_MS,
      keepAliveMaxTimeout: HELD_MS,
      connect: { ca: webhook.ca },
    });
    const { status } = await this.report([]);
    if (status !== 200) throw new Error(`the webhook answers ${status} to ${this.node}`);
  }

  /** Does not wait for reports that are under way. */
  async report(detections: readonly Detection[]): Promise<Answer> {
    const report = { apiVersion: API_VERSION, kind: 'DetectionReport', node: this.node, detections };
    try {
      if (!this.#webhook) throw new Error('not open');
      const { statusCode, headers, body } = await this.#webhook.request({
        method: 'POST',
        path: '/v1/detections',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#token}` },
        body: JSON.stringify(report),
      });
      const said = await body.text();
      return {
        status: statusCode,
        retryAfter: Number(headers['retry-after'] ?? 0),
        body: statusCode === 200 ? (JSON.parse(said) as DetectionReportAnswer) : undefined,
      };
    } catch {
      return { status: 0, retryAfter: 1, body: undefined };
    }
  }

  close(): void {
    this.#api?.destroy();
    void this.#webhook?.destroy();
  }

  async #watch(api: ClientHttp2Session, path: string, authorization: string): Promise<void> {
    const stream = await answered(api.request({ ':path': path, authorization, accept: 'application/json' }));
    this.held++;
    stream.on('data', (chunk: Buffer) => {
      this.received += chunk.length;
      // In the stream of events it says why it ends, with a status of 200.
      if (chunk.subarray(0, ERROR.length).equals(ERROR)) this.ended = chunk.toString();
    });
    stream.on('error', () => {});
    stream.once('close', () => {
      this.held--;
    });
  }
}

const ERROR = Buffer.from('{"type":"ERROR"');

async function answered(stream: ClientHttp2Stream): Promise<ClientHttp2Stream> {
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  if (Number(headers[':status']) === 200) return stream;
  throw new Error(`the API server answers ${headers[':status']}: ${await text(stream)}`);
}

async function sessionTo(url: string, ca: string): Promise<ClientHttp2Session> {
  const session = connect(url, { ca });
  // What is under way fails with it, and that is seen.
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}

/**
 * Versions to watch from, as the real agent has them from its lists. Without one an API server ends a watch with bookmarks
 * at once where its etcd is older than 3.4.25, with a status of 200.
 */
async function versionsOf({ cluster, mint }: Rig): Promise<Versions> {
  const api = await sessionTo(cluster.url, cluster.ca);
  const authorization = `Bearer ${mint.forApiServer()}`;
  const versions: Record<string, string> = {};
  for (const path of Object.keys(watchesOf(''))) {
    const listed = await answered(api.request({ ':path': `${path}?limit=1`, authorization }));
    const { metadata } = JSON.parse(await text(listed)) as { metadata: { resourceVersion: string } };
    versions[path] = metadata.resourceVersion;
  }
  api.destroy();
  return versions;
}

/** Opens agents for the nodes from number `from` on. */
export async function openAgents(rig: Rig, from: number, to: number): Promise<LightAgent[]> {
  const versions = await versionsOf(rig);
  const numbers = Array.from({ length: to - from }, (_, offset) => from + offset);
  return inParallel(
    numbers,
    async (number) => {
      const agent = new LightAgent(nodeName(number), rig);
      await agent.open(rig, versions);
      return agent;
    },
    OPENING,
  );
}
