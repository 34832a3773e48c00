import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningCluster } from './cluster.ts';
import { ctr } from './containerd.ts';
import { packImage } from './image.ts';

/** An innocent image in which lies /opt/xmrig, a program that only waits. */
export const STAND_IN_IMAGE = 'registry.example.com/shop/web:1';

/** Command of a container that starts the stand-in beside itself and ends after 200 ms. */
export const SHORT_LIVED = ['/bin/serve'];

/** Packs STAND_IN_IMAGE and loads it into the node. */
export function loadStandIn(cluster: RunningCluster): void {
  const folder = mkdtempSync(join(tmpdir(), 'kubesentry-stand-in-'));
  try {
    const serve = join(folder, 'serve');
    writeFileSync(serve, '#!/bin/sh\n/opt/xmrig &\nsleep 0.2\n');
    chmodSync(serve, 0o755);
    const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean);
    const archive = join(folder, 'image.tar');
    packImage(archive, join(folder, 'scratch'), {
      name: STAND_IN_IMAGE,
      // The cluster's pause program waits for a signal, which is all that a stand-in has to do.
      files: {
        'bin/busybox': '/bin/busybox',
        'bin/serve': serve,
        'opt/xmrig': join(cluster.folder, 'pause'),
      },
      links: Object.fromEntries(
        applets.filter((name) => name !== 'busybox').map((name) => [`bin/${name}`, 'busybox']),
      ),
    });
    cluster.loadImage(archive);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A pod that sleeps. `words` make its template its own: that of an attacked pod is banned everywhere. */
export function sleeper(namespace: string, name: string, ...words: string[]) {
  return shell(namespace, name, 'exec sleep 100000', namespace, ...words);
}

/** A pod that runs a line of shell. */
export function shell(namespace: string, name: string, script: string, ...words: string[]) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: STAND_IN_IMAGE, command: ['sh', '-c', script, ...words] }],
    },
  };
}

/**
 * Types a line of shell in a container, as somebody who got in through the application, which the API server does not
 * see. Resolves when the line has ended.
 */
export async function type(cluster: RunningCluster, containerId: string, line: string): Promise<void> {
  const [command, ...args] = ctr(cluster.folder);
  const execution = ['tasks', 'exec', '--exec-id', randomUUID(), containerId, 'sh'];
  // Over standard input: on a command line of the node it would be an attack on the node.
  const entered = spawn(command, [...args, ...execution], { stdio: ['pipe', 'ignore', 'ignore'] });
  entered.stdin.end(`${line}\n`);
  await once(entered, 'exit');
}

/** Starts the stand-in in a container, where it then waits. */
export function attack(cluster: RunningCluster, containerId: string): void {
  void type(cluster, containerId, 'exec /opt/xmrig');
}

/** The process id of a container's first process, on this machine. Undefined when it does not run. */
export function containerPid(cluster: RunningCluster, containerId: string): number | undefined {
  const [command, ...args] = ctr(cluster.folder);
  const tasks = execFileSync(command, [...args, 'tasks', 'ls'], { encoding: 'utf8' });
  const row = tasks.split('\n').find((line) => line.startsWith(containerId));
  return row?.includes('RUNNING') ? Number(row.split(/\s+/)[1]) : undefined;
}
