import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Binaries } from './binaries.ts';
import { type Credentials, ensureCredentials, type Identity, writeKubeconfig } from './credentials.ts';
import { startDaemon } from './daemon.ts';
import { until } from './until.ts';

/** What a control plane listens on. */
export interface Ports {
  etcd: number;
  etcdPeer: number;
  apiserver: number;
  controllerManager: number;
  scheduler: number;
}

export interface ControlPlaneOptions {
  folder: string;
  binaries: Binaries;
  /** Where the API server is reached: 127.0.0.1, or the node's address inside a network namespace. */
  address: string;
  ports: Ports;
  serviceCidr: string;
  podCidr: string;
  /** Words before every command, such as nsenter and its options. */
  enter: string[];
  /** Further ones of the API server. */
  flags: readonly string[];
}

export interface ControlPlane {
  url: string;
  caFile: string;
  credentials: Credentials;
  kubeconfig(identity: Identity): string;
}

/** Ports that are free on loopback at this moment. */
export async function freePorts(): Promise<Ports> {
  const servers = Array.from({ length: 5 }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  const [etcd, etcdPeer, apiserver, controllerManager, scheduler] = ports as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { etcd, etcdPeer, apiserver, controllerManager, scheduler };
}

/** Starts etcd, API server, controllers and scheduler; resolves when the API server serves and the controllers work. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { folder, binaries, address, ports, enter } = options;
  const path = (name: string) => join(folder, name);
  const credentials = ensureCredentials(folder);
  const start = (name: string, command: string[]) => startDaemon(folder, name, [...enter, ...command]);

  const etcd = `http://127.0.0.1:${ports.etcd}`;
  const peer = `http://127.0.0.1:${ports.etcdPeer}`;
  start('etcd', [
    ...binaries.etcd,
    `--data-dir=${path('etcd')}`,
    `--listen-client-urls=${etcd}`,
    `--advertise-client-urls=${etcd}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--log-level=warn',
    '--logger=zap',
  ]);

  const url = `https://${address}:${ports.apiserver}`;
  const issuer = 'https://kubernetes.default.svc';
  const apiserver = start('kube-apiserver', [
    ...binaries.apiserver,
    `--etcd-servers=${etcd}`,
    `--bind-address=${address}`,
    `--advertise-address=${address}`,
    `--secure-port=${ports.apiserver}`,
    `--cert-dir=${path('apiserver')}`,
    `--service-cluster-ip-range=${options.serviceCidr}`,
    '--authorization-mode=Node,RBAC',
    '--allow-privileged=true',
    `--token-auth-file=${credentials.tokenFile}`,
    `--service-account-issuer=${issuer}`,
    `--service-account-key-file=${credentials.serviceAccountPublicKey}`,
    `--service-account-signing-key-file=${credentials.serviceAccountKey}`,
    '--enable-aggregator-routing=true',
    '--kubelet-preferred-address-types=InternalIP',
    // The service `kubernetes` takes no loopback address for an endpoint; without a node nobody asks for it.
    ...(address === '127.0.0.1' ? ['--endpoint-reconciler-type=none'] : []),
    ...(binaries.controllerManager ? [] : ['--disable-admission-plugins=ServiceAccount']),
    ...options.flags,
  ]);
  const caFile = path('apiserver/apiserver.crt');
  const kubeconfig = (identity: Identity) => {
    const file = path(`${identity}.kubeconfig`);
    writeKubeconfig({ file, server: url, caFile, token: credentials.token(identity) });
    return file;
  };
  const get = (...args: string[]) =>
    succeeds([...enter, ...binaries.kubectl, '--kubeconfig', kubeconfig('admin'), 'get', ...args]);
  await until(
    'the API server is ready',
    apiserver,
    folder,
    async () => existsSync(caFile) && get('--raw', '/readyz'),
  );

  if (binaries.controllerManager) {
    const controllers = start('kube-controller-manager', [
      ...binaries.controllerManager,
      `--kubeconfig=${kubeconfig('controller-manager')}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${ports.controllerManager}`,
      `--cert-dir=${path('controller-manager')}`,
      `--service-account-private-key-file=${credentials.serviceAccountKey}`,
      `--root-ca-file=${caFile}`,
      '--use-service-account-credentials=true',
      '--allocate-node-cidrs=true',
      `--cluster-cidr=${options.podCidr}`,
      `--service-cluster-ip-range=${options.serviceCidr}`,
    ]);
    await until('the controllers work', controllers, folder, () =>
      get('serviceaccount', 'default', '-n', 'default'),
    );
  }
  if (binaries.scheduler) {
    start('kube-scheduler', [
      ...binaries.scheduler,
      `--kubeconfig=${kubeconfig('scheduler')}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${ports.scheduler}`,
      `--cert-dir=${path('scheduler')}`,
    ]);
  }
  return { url, caFile, credentials, kubeconfig };
}

function succeeds(words: string[]): Promise<boolean> {
  const [command = '', ...args] = words;
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 5_000 }, (error) => resolve(error === null));
  });
}
