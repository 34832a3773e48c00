import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensurePackages } from '../../build/debian-packages.mjs';
import { binaryOf, buildModule, type GoModule } from './go-module.ts';

const VERSION = 'v1.36.3';

const KUBERNETES: GoModule = {
  folder: join(import.meta.dirname, 'kubernetes'),
  title: `Kubernetes ${VERSION} (about four minutes on two cores)`,
  ldflags: `-X k8s.io/component-base/version.gitVersion=${VERSION}`,
};

const COREDNS: GoModule = { folder: join(import.meta.dirname, 'coredns'), title: 'CoreDNS (about a minute)' };

const HELM: GoModule = { folder: join(import.meta.dirname, 'helm'), title: 'Helm (about two minutes)' };

/** How to start each component: the program and its first arguments. */
export interface Binaries {
  etcd: string[];
  apiserver: string[];
  kubectl: string[];
  /** Absent where envtest assets are used that do not have them. */
  controllerManager?: string[];
  scheduler?: string[];
  kubelet?: string[];
  proxy?: string[];
}

/** Assets in the manner of envtest (controller-runtime): KUBEBUILDER_ASSETS, or TEST_ASSET_KUBE_APISERVER and so on. */
function assets(): Binaries | undefined {
  const folder = process.env.KUBEBUILDER_ASSETS;
  if (!folder) return undefined;
  const find = (name: string, variable: string) => process.env[variable] ?? join(folder, name);
  const optional = (name: string) => (existsSync(join(folder, name)) ? [join(folder, name)] : undefined);
  const controllerManager = optional('kube-controller-manager');
  const scheduler = optional('kube-scheduler');
  return {
    etcd: [find('etcd', 'TEST_ASSET_ETCD')],
    apiserver: [find('kube-apiserver', 'TEST_ASSET_KUBE_APISERVER')],
    kubectl: [find('kubectl', 'TEST_ASSET_KUBECTL')],
    ...(controllerManager && { controllerManager }),
    ...(scheduler && { scheduler }),
  };
}

function fromOneBinary(path: string): Required<Binaries> {
  return {
    etcd: ['etcd'],
    apiserver: [path, 'kube-apiserver'],
    controllerManager: [path, 'kube-controller-manager'],
    scheduler: [path, 'kube-scheduler'],
    kubectl: [path, 'kubectl'],
    kubelet: [path, 'kubelet'],
    proxy: [path, 'kube-proxy'],
  };
}

/** The binaries, if they are there already. */
export function findBinaries(): Binaries | undefined {
  return assets() ?? (existsSync(binaryOf(KUBERNETES)) ? fromOneBinary(binaryOf(KUBERNETES)) : undefined);
}

/** The binaries of a control plane: envtest's where they are set, built ones otherwise. */
export async function ensureBinaries(log: (line: string) => void): Promise<Binaries> {
  return assets() ?? ensureNodeBinaries(log);
}

/** The binaries of a whole cluster, built first if need be. */
export async function ensureNodeBinaries(log: (line: string) => void): Promise<Required<Binaries>> {
  await ensurePackages(['etcd-server'], { log });
  return fromOneBinary(await buildModule(KUBERNETES, log));
}

export const ensureCoreDns = (log: (line: string) => void): Promise<string> => buildModule(COREDNS, log);

export const ensureHelm = (log: (line: string) => void): Promise<string> => buildModule(HELM, log);

/** Path of helm, if it is built. */
export const findHelm = (): string | undefined => (existsSync(binaryOf(HELM)) ? binaryOf(HELM) : undefined);

/** Whether a cluster with a node can be started without building anything first. */
export const hasNodeBinaries = (): boolean =>
  existsSync(binaryOf(KUBERNETES)) && existsSync(binaryOf(COREDNS));
