import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ctr } from './containerd.ts';

/** Ends what the kubelet no longer can: containers, mounts, cgroups. May be called at any time after the daemons ended. */
export function removeContainers(folder: string): void {
  if (!existsSync(join(folder, 'containerd.sock'))) return;
  const [command, ...args] = ctr(folder);
  const run = (...words: string[]) =>
    spawnSync(command, [...args, ...words], { encoding: 'utf8', timeout: 10_000 });
  const tasks = run('tasks', 'ls', '-q').stdout?.split('\n').filter(Boolean) ?? [];
  for (const task of tasks) run('tasks', 'kill', '--signal', 'SIGKILL', '--all', task);
  for (const task of tasks) run('tasks', 'delete', '--force', task);
  for (const container of run('containers', 'ls', '-q').stdout?.split('\n').filter(Boolean) ?? []) {
    run('containers', 'rm', container);
  }
}

/** Shims outlive containerd; each names the cluster's socket in its arguments. */
export function killShims(folder: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (argv.includes('containerd-shim') && argv.includes(folder)) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // gone meanwhile
    }
  }
}

/** Unmounts everything below `folder`, the deepest first. */
export function unmountBelow(folder: string): void {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length);
  for (const point of points) spawnSync('umount', ['--lazy', point]);
}

/** CNI's network namespaces of the pods: those that were not there when the cluster started. */
export function podNetworkNamespaces(): string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns').filter((name) => name.startsWith('cni-')) : [];
}

export function removePodNetworkNamespaces(known: readonly string[]): void {
  for (const name of podNetworkNamespaces().filter((each) => !known.includes(each))) {
    spawnSync('ip', ['netns', 'delete', name]);
  }
}
