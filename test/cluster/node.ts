import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Binaries } from './binaries.ts';
import { cgroupRootOf, makeCgroupRoot } from './cgroups.ts';
import { startContainerd } from './containerd.ts';
import type { ControlPlane } from './control-plane.ts';
import { startDaemon } from './daemon.ts';
import { NODE_ADDRESS } from './network-namespace.ts';
import { until } from './until.ts';

/** What a node needs from Debian beside what the control plane needs. */
export const NODE_PACKAGES = [
  'containerd',
  'runc',
  'containernetworking-plugins',
  'iptables',
  'conntrack',
  'busybox-static',
  'iproute2',
];

export interface NodeOptions {
  cluster: string;
  folder: string;
  binaries: Required<Binaries>;
  plane: ControlPlane;
  /** Words before every command: into the cluster's network namespace. */
  enter: string[];
  podCidr: string;
  dnsAddress: string;
}

/** Starts containerd, kubelet and kube-proxy; resolves when the node is Ready. */
export async function startNode(options: NodeOptions): Promise<void> {
  const { folder, binaries, plane, enter, cluster } = options;
  await startContainerd(options);
  makeCgroupRoot(cluster);
  const kubelet = startDaemon(folder, 'kubelet', [
    ...enter,
    ...binaries.kubelet,
    `--config=${writeKubeletConfig(options)}`,
    `--kubeconfig=${plane.kubeconfig('kubelet')}`,
    '--hostname-override=node',
    `--node-ip=${NODE_ADDRESS}`,
    `--root-dir=${join(folder, 'kubelet')}`,
    `--cert-dir=${join(folder, 'kubelet', 'pki')}`,
  ]);
  startDaemon(folder, 'kube-proxy', [
    ...enter,
    ...binaries.proxy,
    `--kubeconfig=${plane.kubeconfig('proxy')}`,
    '--hostname-override=node',
    '--proxy-mode=iptables',
    '--conntrack-max-per-core=0',
    `--cluster-cidr=${options.podCidr}`,
    '--bind-address=127.0.0.1',
  ]);
  await until('the node is Ready', kubelet, folder, async () => {
    const words: string[] = [...enter, ...binaries.kubectl, '--kubeconfig', plane.kubeconfig('admin')];
    const jsonPath = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
    const [command = '', ...args] = [...words, 'get', 'node', 'node', '-o', jsonPath];
    return spawnSync(command, args, { encoding: 'utf8' }).stdout === 'True';
  });
}

function writeKubeletConfig({ folder, cluster, dnsAddress }: NodeOptions): string {
  const file = join(folder, 'kubelet.json');
  writeFileSync(
    file,
    JSON.stringify({
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      // The API server shows no client certificate here, and nobody else can reach this network namespace.
      authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
      authorization: { mode: 'AlwaysAllow' },
      containerRuntimeEndpoint: `unix://${join(folder, 'containerd.sock')}`,
      cgroupDriver: 'cgroupfs',
      cgroupRoot: `/${cgroupRootOf(cluster)}`,
      failCgroupV1: false,
      failSwapOn: false,
      resolvConf: '/dev/null',
      clusterDNS: [dnsAddress],
      clusterDomain: 'cluster.local',
      podLogsDir: join(folder, 'pod-logs'),
      // A test machine's disk is not the cluster's business.
      imageGCHighThresholdPercent: 100,
      evictionHard: {
        'nodefs.available': '0%',
        'imagefs.available': '0%',
        'memory.available': '0%',
        'nodefs.inodesFree': '0%',
      },
      nodeStatusUpdateFrequency: '2s',
      registerNode: true,
      serializeImagePulls: false,
      maxPods: 250,
    }),
  );
  return file;
}
