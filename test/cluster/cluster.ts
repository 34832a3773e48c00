import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ensurePackages } from '../../build/debian-packages.mjs';
import { type AuditBackend, auditFlags } from './audit.ts';
import {
  ensureBinaries,
  ensureCoreDns,
  ensureNodeBinaries,
  findBinaries,
  hasNodeBinaries,
} from './binaries.ts';
import { CACHE } from './cache.ts';
import { removeCgroups } from './cgroups.ts';
import { importImage } from './containerd.ts';
import { freePorts, type Ports, startControlPlane } from './control-plane.ts';
import { daemons, isAlive, stopDaemon } from './daemon.ts';
import { startDns } from './dns.ts';
import {
  enterNetworkNamespace,
  hasNetworkNamespace,
  makeNetworkNamespace,
  NODE_ADDRESS,
  removeNetworkNamespace,
} from './network-namespace.ts';
import { NODE_PACKAGES, startNode } from './node.ts';
import {
  killShims,
  podNetworkNamespaces,
  removeContainers,
  removePodNetworkNamespaces,
  unmountBelow,
} from './teardown.ts';

const CLUSTERS = join(CACHE, 'clusters');

const SERVICE_CIDR = '10.96.0.0/16';
const POD_CIDR = '10.244.0.0/24';
const DNS_ADDRESS = '10.96.0.10';

/** Inside a network namespace of its own a cluster has every port to itself. */
const OWN_PORTS: Ports = {
  etcd: 2379,
  etcdPeer: 2380,
  apiserver: 6443,
  controllerManager: 10257,
  scheduler: 10259,
};

export interface StartOptions {
  /** Letters, digits and dashes; several clusters run side by side under different names. */
  name: string;
  /** A control plane on loopback only, or with a node in a network namespace of its own. */
  node?: boolean;
  /** Audit events go here. */
  audit?: AuditBackend;
  /** Further ones of the API server. */
  flags?: readonly string[];
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
  /** Where its state and logs are. */
  readonly folder: string;
  readonly url: string;
  /** CA of the API server, PEM. */
  readonly ca: string;
  /** Token of a cluster administrator. */
  readonly adminToken: string;
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** Words before a command that is to reach pods, services and the API server; none without a node. */
  readonly enter: readonly string[];
  kubectl(args: string[], input?: string): Promise<KubectlResult>;
  /** Loads a docker-archive or OCI archive into the node. */
  loadImage(file: string): void;
  stop(): Promise<void>;
}

/** Whether a cluster can be started here without building anything first. */
export function clusterAvailable(node = false): { available: true } | { available: false; reason: string } {
  if (node ? hasNodeBinaries() : findBinaries()) return { available: true };
  return {
    available: false,
    reason: `Kubernetes is not built here: \`npm run cluster -- build\`${node ? '' : ', or set KUBEBUILDER_ASSETS'}.`,
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

/** Starts a cluster. What was there half-started under the same name is removed first. */
export async function startCluster(options: StartOptions): Promise<RunningCluster> {
  const { name, node = false, log = () => {} } = options;
  const folder = folderOf(name);
  if (daemons(folder).some(isAlive)) {
    throw new Error(`Cluster "${name}" is up already: npm run cluster -- down --name ${name}`);
  }
  await stopCluster(name);
  const start = node ? startWithNode : startControlPlaneOnly;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    await start(options, folder, log);
    return runningCluster(name);
  } catch (error) {
    await stopCluster(name);
    throw error;
  }
}

/** A cluster that is up already. Throws an Error that says how to start one. */
export function runningCluster(name: string): RunningCluster {
  const folder = clusterFolder(name);
  const file = (path: string) => readFileSync(join(folder, path), 'utf8');
  const kubeconfig = join(folder, 'admin.kubeconfig');
  const { clusters, users } = JSON.parse(file('admin.kubeconfig')) as Kubeconfig;
  return {
    name,
    folder,
    url: clusters[0].cluster.server,
    ca: file('apiserver/apiserver.crt'),
    adminToken: users[0].user.token,
    kubeconfig,
    enter: hasNetworkNamespace(name) ? enterNetworkNamespace(name) : [],
    kubectl: async (args, input) => kubectl(kubectlCommand(name), args, input),
    loadImage: (image) => importImage(folder, image),
    stop: () => stopCluster(name),
  };
}

interface Kubeconfig {
  clusters: [{ cluster: { server: string } }];
  users: [{ user: { token: string } }];
}

async function startControlPlaneOnly(
  { audit, flags = [] }: StartOptions,
  folder: string,
  log: (line: string) => void,
): Promise<void> {
  const binaries = await ensureBinaries(log);
  await startControlPlane({
    folder,
    binaries,
    address: '127.0.0.1',
    ports: await freePorts(),
    serviceCidr: SERVICE_CIDR,
    podCidr: POD_CIDR,
    enter: [],
    flags: [...auditFlags(folder, audit), ...flags],
  });
}

async function startWithNode(
  { name, audit, flags = [] }: StartOptions,
  folder: string,
  log: (line: string) => void,
): Promise<void> {
  await ensurePackages(NODE_PACKAGES, { log });
  const binaries = await ensureNodeBinaries(log);
  const coreDns = await ensureCoreDns(log);
  writeFileSync(join(folder, 'network-namespaces.json'), JSON.stringify(podNetworkNamespaces()));
  makeNetworkNamespace(name);
  const enter = enterNetworkNamespace(name);
  log('Starting the control plane ...');
  const plane = await startControlPlane({
    folder,
    binaries,
    address: NODE_ADDRESS,
    ports: OWN_PORTS,
    serviceCidr: SERVICE_CIDR,
    podCidr: POD_CIDR,
    enter,
    flags: [...auditFlags(folder, audit), ...flags],
  });
  log('Starting the node ...');
  startDns({ folder, coreDns, binaries, plane, enter, address: DNS_ADDRESS });
  await startNode({
    cluster: name,
    folder,
    binaries,
    plane,
    enter,
    podCidr: POD_CIDR,
    dnsAddress: DNS_ADDRESS,
  });
}

/**
 * Ends everything of a cluster and removes its state, also when its start was interrupted. The order matters: who would
 * start things again goes first, then containers, then what held them. Not an error if there is none.
 */
export async function stopCluster(name: string): Promise<void> {
  const folder = folderOf(name);
  if (!existsSync(folder)) return;
  const all = daemons(folder);
  const stop = async (...names: string[]) => {
    for (const daemon of all.filter((each) => names.includes(each.name))) await stopDaemon(daemon);
  };
  await stop('kubelet', 'kube-proxy');
  removeContainers(folder);
  await stop('containerd');
  killShims(folder);
  await stop('coredns', 'kube-scheduler', 'kube-controller-manager', 'kube-apiserver', 'etcd');
  unmountBelow(folder);
  await removeCgroups(name);
  const known = join(folder, 'network-namespaces.json');
  if (existsSync(known)) removePodNetworkNamespaces(JSON.parse(readFileSync(known, 'utf8')) as string[]);
  removeNetworkNamespace(name);
  rmSync(folder, { recursive: true, force: true });
}

/** Not synchronous: the API server may be asking a webhook in this very process. */
async function kubectl(words: string[], args: string[], input: string | undefined): Promise<KubectlResult> {
  const [command = '', ...first] = words;
  const child = spawn(command, [...first, ...args]);
  child.stdin.on('error', () => {}); // it may end without reading all of its input; the status tells
  child.stdin.end(input);
  const [stdout, stderr, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 1));
    }),
  ]);
  return { status, stdout, stderr };
}

/** The command line that runs kubectl as the administrator of a cluster that is up. */
export function kubectlCommand(name: string): string[] {
  const binaries = findBinaries();
  if (!binaries) throw new Error('kubectl is not built here: npm run cluster -- build');
  const enter = hasNetworkNamespace(name) ? enterNetworkNamespace(name) : [];
  return [...enter, ...binaries.kubectl, '--kubeconfig', join(clusterFolder(name), 'admin.kubeconfig')];
}
