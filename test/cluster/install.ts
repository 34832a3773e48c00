import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { buildImages, imageFile, TARGETS } from '../../build/image.ts';
import type { RunningCluster } from './cluster.ts';

const MANIFEST = join(import.meta.dirname, '..', '..', 'manifests', 'install.yaml');
/** Of the hostPath volume; the container's mountPath is written with a capital. */
const SPOOL_IN_MANIFEST = 'path: /var/lib/kubesentry';

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
  log('Installing Kubesentry: kubectl apply -f manifests/install.yaml ...');
  const manifest = await applyManifest(cluster, readFileSync(MANIFEST, 'utf8'));
  return { manifest, spool: join(spool, 'spool') };
}

/** Applies a manifest of ours with the spool in the cluster's folder, and waits for both rollouts. Answers its file. */
export async function applyManifest(cluster: RunningCluster, text: string): Promise<string> {
  const manifest = prepareManifest(cluster, text);
  await must(cluster, ['apply', '--server-side', '-f', manifest]);
  await rolledOut(cluster);
  return manifest;
}

/** Answers the file of a manifest of ours with the spool in the cluster's folder. */
export function prepareManifest(cluster: RunningCluster, text: string): string {
  const manifest = join(cluster.folder, 'install.yaml');
  if (!text.includes(SPOOL_IN_MANIFEST)) throw new Error('The manifest mounts no spool.');
  writeFileSync(manifest, text.replace(SPOOL_IN_MANIFEST, `path: ${join(cluster.folder, 'agent')}`));
  return manifest;
}

export async function rolledOut(cluster: RunningCluster): Promise<void> {
  for (const workload of ['deployment/kubesentry-webhook', 'daemonset/kubesentry-agent']) {
    await must(cluster, ['rollout', 'status', '-n', SYSTEM_NAMESPACE, workload, '--timeout=60s']);
  }
}

/** kubectl as the administrator; answers what it printed, throws what it said when it failed. */
export async function must(cluster: RunningCluster, args: string[], input?: string): Promise<string> {
  const { status, stdout, stderr } = await cluster.kubectl(args, input);
  if (status !== 0) throw new Error(`kubectl ${args.slice(0, 4).join(' ')} ...: ${stderr.trim()}`);
  return stdout;
}
