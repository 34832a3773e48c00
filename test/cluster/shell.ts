import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findBinaries } from './binaries.ts';
import { clusterFolder } from './cluster.ts';
import { enterNetworkNamespace, hasNetworkNamespace } from './network-namespace.ts';

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * What runs a shell, or `command`, beside a cluster that is up: in its network, where kubectl and whatever reads
 * KUBECONFIG reach it. Nothing else is reached from there.
 */
export function shellIn(
  name: string,
  command: readonly string[] = [],
): { words: string[]; env: NodeJS.ProcessEnv } {
  const binaries = findBinaries();
  if (!binaries) throw new Error('kubectl is not built here: npm run cluster -- build');
  const folder = clusterFolder(name);
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'kubectl'), `#!/bin/sh\nexec ${binaries.kubectl.map(quoted).join(' ')} "$@"\n`);
  chmodSync(join(bin, 'kubectl'), 0o755);
  const enter = hasNetworkNamespace(name) ? enterNetworkNamespace(name) : [];
  return {
    words: [...enter, ...(command.length > 0 ? command : [process.env.SHELL ?? 'sh'])],
    env: {
      ...process.env,
      PATH: `${bin}:${process.env.PATH}`,
      KUBECONFIG: join(folder, 'admin.kubeconfig'),
    },
  };
}
