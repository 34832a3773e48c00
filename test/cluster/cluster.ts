import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Binaries, ensureBinaries, findBinaries } from './binaries.ts';
import { CACHE } from './cache.ts';
import { auditFlags, freePorts, startControlPlane } from './control-plane.ts';
import { daemons, isAlive, stopDaemon } from './daemon.ts';

const CLUSTERS = join(CACHE, 'clusters');

export interface StartOptions {
  /** Letters, digits and dashes; several clusters run side by side under different names. */
  name: string;
  /** Audit events go here. */
  audit?: { url: string; caData?: string };
  log?: (line: string) => void;
}

export interface KubectlResult {
  status: number;
  stdout: string;
  stderr: string;
}

/** A Kubernetes that is up. */
export interface RunningCluster {
  readonly name: string;
  readonly url: string;
  /** CA of the API server, PEM. */
  readonly ca: string;
  /** Token of a cluster administrator. */
  readonly adminToken: string;
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  kubectl(args: string[], input?: string): KubectlResult;
  stop(): Promise<void>;
}

/** Whether a cluster can be started here without building anything first. */
export function clusterAvailable(): { available: true } | { available: false; reason: string } {
  if (findBinaries()) return { available: true };
  return {
    available: false,
    reason: 'Kubernetes is not built here: `npm run cluster -- build`, or set KUBEBUILDER_ASSETS.',
  };
}

const folderOf = (name: string): string => {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new Error(`"${name}" is no cluster name: use up to 32 small letters, digits and dashes.`);
  }
  return join(CLUSTERS, name);
};

export function clusterNames(): string[] {
  return existsSync(CLUSTERS) ? readdirSync(CLUSTERS).sort() : [];
}

export function clusterFolder(name: string): string {
  const folder = folderOf(name);
  if (!existsSync(folder))
    throw new Error(`There is no cluster "${name}": npm run cluster -- up --name ${name}`);
  return folder;
}

/** Starts a control plane on loopback: etcd, API server, controllers, scheduler; no node. */
export async function startCluster({ name, audit, log = () => {} }: StartOptions): Promise<RunningCluster> {
  const folder = folderOf(name);
  if (daemons(folder).some(isAlive))
    throw new Error(`Cluster "${name}" is up already: npm run cluster -- down --name ${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const binaries = await ensureBinaries(log);
  try {
    const plane = await startControlPlane({
      folder,
      binaries,
      address: '127.0.0.1',
      ports: await freePorts(),
      serviceCidr: '10.96.0.0/16',
      podCidr: '10.244.0.0/16',
      enter: [],
      auditFlags: auditFlags(folder, audit),
    });
    const kubeconfig = plane.kubeconfig('admin');
    return {
      name,
      url: plane.url,
      ca: readFileSync(plane.caFile, 'utf8'),
      adminToken: plane.credentials.token('admin'),
      kubeconfig,
      kubectl: (args, input) => kubectl(binaries, kubeconfig, args, input),
      stop: () => stopCluster(name),
    };
  } catch (error) {
    await stopCluster(name);
    throw error;
  }
}

/** Ends every process of the cluster, the last started first, and removes its state. Not an error if there is none. */
export async function stopCluster(name: string): Promise<void> {
  const folder = folderOf(name);
  for (const daemon of daemons(folder).reverse()) await stopDaemon(daemon);
  rmSync(folder, { recursive: true, force: true });
}

function kubectl(binaries: Binaries, kubeconfig: string, args: string[], input?: string): KubectlResult {
  const [command, ...first] = binaries.kubectl as [string, ...string[]];
  const { status, stdout, stderr } = spawnSync(command, [...first, '--kubeconfig', kubeconfig, ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return { status: status ?? 1, stdout, stderr };
}

/** The command line that runs kubectl as the administrator of a cluster that is up. */
export function kubectlCommand(name: string): string[] {
  const binaries = findBinaries();
  if (!binaries) throw new Error('kubectl is not built here: npm run cluster -- build');
  return [...binaries.kubectl, '--kubeconfig', join(clusterFolder(name), 'admin.kubeconfig')];
}
