import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** The node's own address; pods and services have ranges of their own. Nothing of this leaves the namespace. */
export const NODE_ADDRESS = '10.100.0.1';

const PREFIX = 'kubesentry-';

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

const nameOf = (cluster: string) => `${PREFIX}${cluster}`;
const pathOf = (cluster: string) => `/run/netns/${nameOf(cluster)}`;

/**
 * Words that run a command in the cluster's network namespace. Not `ip netns exec`: that mounts a bare /sys, and the
 * kubelet then finds no cgroups.
 */
export function enterNetworkNamespace(cluster: string): string[] {
  return ['nsenter', `--net=${pathOf(cluster)}`];
}

export function hasNetworkNamespace(cluster: string): boolean {
  return existsSync(pathOf(cluster));
}

/**
 * A network of the cluster's own: loopback, and a pair of interfaces so that the node has an address that is not
 * loopback, which the kubelet wants, and a default route, without which service addresses are unreachable.
 */
export function makeNetworkNamespace(cluster: string): void {
  const name = nameOf(cluster);
  ip('netns', 'add', name);
  const inside = (...args: string[]) => ip('-n', name, ...args);
  inside('link', 'set', 'lo', 'up');
  inside('link', 'add', 'node0', 'type', 'veth', 'peer', 'name', 'node1');
  inside('address', 'add', `${NODE_ADDRESS}/24`, 'dev', 'node0');
  inside('link', 'set', 'node0', 'up');
  inside('link', 'set', 'node1', 'up');
  inside('route', 'add', 'default', 'via', '10.100.0.254', 'dev', 'node0');
}

export function removeNetworkNamespace(cluster: string): void {
  if (hasNetworkNamespace(cluster)) ip('netns', 'delete', nameOf(cluster));
}
