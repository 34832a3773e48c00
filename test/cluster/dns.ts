import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Binaries } from './binaries.ts';
import type { ControlPlane } from './control-plane.ts';
import { startDaemon } from './daemon.ts';
import { NODE_ADDRESS } from './network-namespace.ts';

export interface DnsOptions {
  folder: string;
  coreDns: string;
  binaries: Binaries;
  plane: ControlPlane;
  enter: string[];
  /** Address of the service that pods ask. */
  address: string;
}

/** Starts CoreDNS on the node's address, behind the service that the kubelet names to pods. */
export function startDns({ folder, coreDns, binaries, plane, enter, address }: DnsOptions): void {
  const corefile = join(folder, 'Corefile');
  writeFileSync(
    corefile,
    `.:53 {
  bind ${NODE_ADDRESS}
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${plane.kubeconfig('admin')}
    pods insecure
    ttl 5
  }
}
`,
  );
  startDaemon(folder, 'coredns', [...enter, coreDns, '-conf', corefile]);

  const ports = [
    { name: 'udp', protocol: 'UDP', port: 53 },
    { name: 'tcp', protocol: 'TCP', port: 53 },
  ];
  const metadata = { name: 'kube-dns', namespace: 'kube-system' };
  const objects = [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { clusterIP: address, ports } },
    // CoreDNS is no pod here, so the service's endpoints are written by hand.
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kube-dns' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [NODE_ADDRESS], conditions: { ready: true } }],
      ports,
    },
  ];
  const [command, ...args] = [...enter, ...binaries.kubectl] as [string, ...string[]];
  const applied = spawnSync(
    command,
    [...args, '--kubeconfig', plane.kubeconfig('admin'), 'apply', '-f', '-'],
    {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
      encoding: 'utf8',
    },
  );
  if (applied.status !== 0) throw new Error(`The DNS service could not be made: ${applied.stderr}`);
}
