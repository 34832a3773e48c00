import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { buildImages, imageFile, TARGETS } from '../../build/image.ts';
import type { RunningCluster } from './cluster.ts';

const MANIFEST = join(import.meta.dirname, '..', '..', 'manifests', 'install.yaml');
const SPOOL_IN_MANIFEST = '/var/lib/kubesentry';

/** Kubesentry in a cluster, as its users install it. */
export interface Installation {
  /** The manifest that was applied. */
  manifest: string;
  /** Where the agent keeps what the webhook has not acknowledged. */
  spool: string;
}

/**
 * Builds the images and applies the manifest; resolves when both workloads are rolled out. The node is this machine,
 * so the spool lies in the cluster's own folder: what an earlier run could not deliver is none of its business.
 */
export async function installKubesentry(
  cluster: RunningCluster,
  log: (line: string) => void = () => {},
): Promise<Installation> {
  log('Building the images ...');
  await buildImages(log);
  for (const target of TARGETS) cluster.loadImage(imageFile(target));
  const spool = join(cluster.folder, 'agent');
  rmSync(spool, { recursive: true, force: true });
  mkdirSync(spool);
  const manifest = join(cluster.folder, 'install.yaml');
  const hostPath = (folder: string) => `hostPath: { path: ${folder}, `;
  const text = readFileSync(MANIFEST, 'utf8');
  if (!text.includes(hostPath(SPOOL_IN_MANIFEST))) throw new Error(`${MANIFEST} mounts no spool.`);
  writeFileSync(manifest, text.replace(hostPath(SPOOL_IN_MANIFEST), hostPath(spool)));

  log('Installing Kubesentry: kubectl apply -f manifests/install.yaml ...');
  await must(cluster, ['apply', '--server-side', '-f', manifest]);
  for (const workload of ['deployment/kubesentry-webhook', 'daemonset/kubesentry-agent']) {
    await must(cluster, ['rollout', 'status', '-n', SYSTEM_NAMESPACE, workload, '--timeout=60s']);
  }
  return { manifest, spool: join(spool, 'spool') };
}

/** kubectl as the administrator; answers what it printed, throws what it said when it failed. */
export async function must(cluster: RunningCluster, args: string[], input?: string): Promise<string> {
  const { status, stdout, stderr } = await cluster.kubectl(args, input);
  if (status !== 0) throw new Error(`kubectl ${args.slice(0, 4).join(' ')} ...: ${stderr.trim()}`);
  return stdout;
}
