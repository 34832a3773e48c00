import type { TLSSocket } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node';
import { Agent, buildConnector } from 'undici';
import { KubesentryError } from '../../api/errors.ts';
import { HttpCluster } from './cluster.ts';
import { cutWhenDead, PING_MS } from './liveness.ts';
import { Transport } from './transport.ts';

export interface ConnectOptions {
  /** Path of a kubeconfig. Without it: KUBECONFIG, ~/.kube/config, or the service account of the pod. */
  kubeconfig?: string | undefined;
  /** Context of the kubeconfig; its current one unless given. */
  context?: string | undefined;
  /** Act as this user and as a member of these groups, as kubectl's --as and --as-group. */
  as?: string | undefined;
  asGroups?: readonly string[] | undefined;
  /** How often a connection has to prove that it is alive, milliseconds. */
  pingMs?: number | undefined;
}

/** What client-node puts into https.RequestOptions. */
interface Credentials {
  headers: Record<string, string>;
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  servername?: string;
  rejectUnauthorized?: boolean;
}

/** Where client-node goes when there is no configuration at all. */
const NOWHERE = 'http://localhost:8080';

/**
 * Connects to an API server with what client-node understands: kubeconfig files with tokens, client certificates and
 * exec plugins, and the service account inside a pod, whose token file is read again when it changes.
 * Raises KUBE_UNREACHABLE when there is no usable configuration; the server itself is first asked by the first call.
 */
export async function connectCluster(options: ConnectOptions = {}): Promise<HttpCluster> {
  const { pingMs = PING_MS } = options;
  const config = load(options);
  const server = config.getCurrentCluster()?.server ?? NOWHERE;
  const { as, asGroups = [] } = options;
  const impersonation = {
    ...(as !== undefined && { 'Impersonate-User': as }),
    ...(asGroups.length > 0 && { 'Impersonate-Group': [...asGroups] }),
  };
  // Over HTTP/2 undici sends a header once, its values joined: several groups would become one with a strange name.
  const allowH2 = asGroups.length < 2;
  const agent = new Agent({
    connect: connector(config, pingMs, allowH2),
    keepAliveTimeout: 60_000,
    connections: 32,
    allowH2,
    h2Options: { pingInterval: pingMs },
  });
  const headers = async () => ({ ...(await credentialsOf(config)).headers, ...impersonation });
  return new HttpCluster(new Transport(server.replace(/\/$/, ''), agent, headers));
}

function load({ kubeconfig, context }: ConnectOptions): KubeConfig {
  const config = new KubeConfig();
  try {
    if (kubeconfig) config.loadFromFile(kubeconfig);
    else config.loadFromDefault();
    if (context) config.setCurrentContext(context);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KubesentryError('KUBE_UNREACHABLE', `The kubeconfig cannot be used: ${why}.`, { cause });
  }
  const cluster = config.getCurrentCluster();
  if (cluster?.server === NOWHERE)
    throw unusable('There is no kubeconfig, and this is no pod: set KUBECONFIG, or give --kubeconfig FILE.');
  if (cluster?.proxyUrl) throw unusable(`The proxy-url of cluster "${cluster.name}" is not supported.`);
  if (cluster) return config;
  const name = config.getCurrentContext();
  throw unusable(
    name ? `The kubeconfig has no context "${name}".` : 'The kubeconfig has no current context: name one.',
  );
}

/** Each new connection takes the certificates as they are then: files and exec plugins renew them. */
function connector(config: KubeConfig, pingMs: number, allowH2: boolean): buildConnector.connector {
  return (options, callback) => {
    credentialsOf(config).then(
      ({ headers: _, ...tls }) =>
        buildConnector({ ...tls, allowH2 })(options, (...result) => {
          const [, socket] = result;
          if (socket) cutWhenDead(socket as TLSSocket, pingMs);
          callback(...result);
        }),
      (error: Error) => callback(error, null),
    );
  };
}

async function credentialsOf(config: KubeConfig): Promise<Credentials> {
  const options: Credentials & { agent?: unknown } = { headers: {} };
  await config.applyToHTTPSOptions(options as never);
  const { agent: _, ...credentials } = options;
  return credentials;
}

const unusable = (message: string) => new KubesentryError('KUBE_UNREACHABLE', message);
