import { Agent, request } from 'node:https';
import type { Denial } from '../../api/denial.ts';
import { AGENT_USER, SYSTEM_NAMESPACE, TOKEN_AUDIENCE, WEBHOOK_USER } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { loadIndicators } from '../../detection/load.ts';
import { KIND } from '../../kube/kind.ts';
import type { User } from '../../kube/memory/admission-request.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';
import { stdoutLog } from '../../webhook/log.ts';
import { type RunningWebhook, startWebhook, type WebhookOptions } from '../../webhook/start.ts';

export const indicators = await loadIndicators();
export const log = stdoutLog((process.env.LOG_LEVEL as 'debug' | undefined) ?? 'silent');

export const USERS = {
  alice: { username: 'alice', groups: ['system:authenticated'] },
  breakGlass: { username: 'carol', groups: ['kubesentry:break-glass', 'system:authenticated'] },
  node: { username: 'system:node:node-1', groups: ['system:nodes', 'system:authenticated'] },
  webhook: { username: WEBHOOK_USER, groups: ['system:serviceaccounts', 'system:authenticated'] },
  daemonSets: {
    username: 'system:serviceaccount:kube-system:daemon-set-controller',
    groups: ['system:serviceaccounts', 'system:authenticated'],
  },
} as const satisfies Record<string, { username: string; groups: readonly string[] }>;

export function userOf(name: keyof typeof USERS): User {
  const { username, groups } = USERS[name];
  return { username, groups: [...groups] };
}

export interface Scene {
  cluster: MemoryCluster;
  webhook: RunningWebhook;
  warnings: string[];
  /** Asks the cluster as somebody. */
  as(name: keyof typeof USERS): MemoryCluster;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A cluster in memory with two nodes, a few namespaces, the agents' service account, and a webhook registered in it. */
export async function openScene(options: Partial<WebhookOptions> = {}): Promise<Scene> {
  const warnings: string[] = [];
  const cluster = new MemoryCluster({ onWarning: (warning) => warnings.push(warning) });
  for (const name of ['default', 'shop', 'billing', 'kube-system', SYSTEM_NAMESPACE]) {
    await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  for (const name of ['node-1', 'node-2']) {
    await cluster.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name } });
  }
  const account = AGENT_USER.split(':').at(-1) as string;
  for (const name of [account, 'other']) {
    await cluster.create(KIND.ServiceAccount, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name, namespace: SYSTEM_NAMESPACE },
    });
  }
  const webhook = await startWebhook({
    cluster: cluster.as(userOf('webhook')),
    indicators,
    certificates: await ephemeralCertificate(['127.0.0.1', 'localhost']),
    log,
    register: 'here',
    ...options,
    timeouts: { drain: 0, ...options.timeouts },
  });
  await webhook.ready;
  return {
    cluster,
    webhook,
    warnings,
    as: (name) => cluster.as(userOf(name)),
    [Symbol.asyncDispose]: () => webhook.close(),
  };
}

/** A token of the agent (or of another service account) on a node, by a pod that runs there. */
export async function agentToken(cluster: MemoryCluster, node: string, account = 'kubesentry-agent') {
  const name = `${account}-${node}`;
  const pod =
    (await cluster.get(KIND.Pod, { name, namespace: SYSTEM_NAMESPACE })) ??
    (await cluster.create(KIND.Pod, {
      ...podOf(name, SYSTEM_NAMESPACE),
      spec: {
        nodeName: node,
        serviceAccountName: account,
        containers: [{ name: 'agent', image: 'kubesentry-agent' }],
      },
    }));
  return cluster.createToken(
    { name: account, namespace: SYSTEM_NAMESPACE },
    {
      audience: TOKEN_AUDIENCE,
      expirationSeconds: 600,
      pod: { name, uid: pod.metadata.uid as string },
    },
  );
}

export interface Answer {
  status: number;
  headers: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into it.
  json: any;
}

/** POST over HTTP/1.1 and TLS. */
export function post(
  webhook: Pick<RunningWebhook, 'url' | 'caBundle'>,
  path: string,
  body: string | Buffer | object,
  { agent, headers = {} }: { agent?: Agent; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, webhook.url),
      {
        method: 'POST',
        ca: webhook.caBundle,
        agent: agent ?? new Agent({ keepAlive: false }),
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, json: parse(text) });
        });
      },
    );
    sent.on('error', reject);
    sent.end(payload);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function review(object: KubeObject | undefined, request: Record<string, unknown> = {}): object {
  const [group, version] = object?.apiVersion.includes('/') ? object.apiVersion.split('/') : ['', 'v1'];
  const kind = object?.kind ?? 'Pod';
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group, version, kind },
      resource: { group, version, resource: `${kind.toLowerCase()}s` },
      name: object?.metadata.name ?? '',
      namespace: object?.metadata.namespace ?? 'shop',
      operation: 'CREATE',
      userInfo: userOf('alice'),
      object,
      oldObject: null,
      dryRun: false,
      ...request,
    },
  };
}

export function podOf(name: string, namespace: string, container: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: { containers: [{ name: 'main', image: 'registry.example.com/app:1', ...container }] },
  };
}

export function workloadOf(
  kind: string,
  name: string,
  namespace: string,
  container: object = {},
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image: 'registry.example.com/app:1', ...container }] },
      },
    },
  };
}

/** Command of a miner that does not hide. */
export const MINER = {
  command: ['xmrig', '-o', 'stratum+tcp://pool.supportxmr.com:3333', '--coin', 'monero'],
};

/** The message of whoever refused, in one line; fails when it was admitted. */
export async function refusal(act: Promise<unknown>): Promise<string> {
  try {
    await act;
  } catch (error) {
    return (error as Error).message.replace(/\s+/g, ' ');
  }
  throw new Error('it was admitted');
}

/** Looks again and again until others have brought about what is waited for. */
export async function eventually<T>(
  look: () => Promise<T | undefined> | T | undefined,
  what: string,
): Promise<T> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`not within 5 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export async function denialsIn(cluster: MemoryCluster, namespace: string): Promise<Denial[]> {
  return (await cluster.list(KIND.Denial, { namespace })).items;
}
