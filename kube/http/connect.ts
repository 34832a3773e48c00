import { readFile } from 'node:fs/promises';
import { type Cluster as ClusterConfig, KubeConfig } from '@kubernetes/client-node';
import { Agent } from 'undici';
import { KubesentryError } from '../../api/errors.ts';
import { HttpCluster } from './cluster.ts';
import { Transport } from './transport.ts';

export interface ConnectOptions {
  /** Path of a kubeconfig. Without it: KUBECONFIG, ~/.kube/config, or the service account of the pod. */
  kubeconfig?: string | undefined;
  /** Context of the kubeconfig; its current one unless given. */
  context?: string | undefined;
}

/**
 * Connects to an API server with what client-node understands: kubeconfig files with tokens, client certificates and
 * exec plugins, and the service account inside a pod, whose token file is read again when it changes.
 * Raises KUBE_UNREACHABLE when there is no usable configuration; the server itself is first asked by the first call.
 */
export async function connectCluster({ kubeconfig, context }: ConnectOptions = {}): Promise<HttpCluster> {
  const config = new KubeConfig();
  try {
    if (kubeconfig) config.loadFromFile(kubeconfig);
    else config.loadFromDefault();
    if (context) config.setCurrentContext(context);
  } catch (cause) {
    throw new KubesentryError('KUBE_UNREACHABLE', `The kubeconfig cannot be used: ${reasonOf(cause)}.`, {
      cause,
    });
  }
  const cluster = config.getCurrentCluster();
  if (!cluster) {
    throw new KubesentryError(
      'KUBE_UNREACHABLE',
      'There is no kubeconfig with a current context, and this is no pod.',
    );
  }
  const tls = await tlsOptions(config, cluster);
  const agent = new Agent({ connect: tls, keepAliveTimeout: 60_000, connections: 32, bodyTimeout: 0 });
  return new HttpCluster(
    new Transport(cluster.server.replace(/\/$/, ''), agent, () => authorization(config)),
  );
}

async function tlsOptions(config: KubeConfig, cluster: ClusterConfig) {
  const user = config.getCurrentUser();
  const [ca, cert, key] = await Promise.all([
    fromDataOrFile(cluster.caData, cluster.caFile),
    fromDataOrFile(user?.certData, user?.certFile),
    fromDataOrFile(user?.keyData, user?.keyFile),
  ]);
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(cluster.tlsServerName && { servername: cluster.tlsServerName }),
    ...(cluster.skipTLSVerify && { rejectUnauthorized: false }),
  };
}

async function fromDataOrFile(
  data: string | undefined,
  file: string | undefined,
): Promise<Buffer | undefined> {
  if (data) return Buffer.from(data, 'base64');
  return file ? readFile(file) : undefined;
}

/** client-node runs exec plugins and reads token files again; it hands headers out through these options. */
async function authorization(config: KubeConfig): Promise<string | undefined> {
  const options: { headers: Record<string, string> } = { headers: {} };
  await config.applyToHTTPSOptions(options as never);
  return options.headers.Authorization;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
