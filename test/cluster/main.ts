/** `npm run cluster`: a real Kubernetes for tests and for trying things. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureActionlint } from '../build/actionlint.ts';
import { ensureBinaries, ensureCoreDns, ensureHelm } from './binaries.ts';
import { clusterFolder, clusterNames, kubectlCommand, startCluster, stopCluster } from './cluster.ts';
import { importImage } from './containerd.ts';
import { daemons, isAlive } from './daemon.ts';
import { shellIn } from './shell.ts';

const HELP = `Usage: npm run cluster -- COMMAND [--name NAME]

  build                build Kubernetes from its Go modules, once; the other commands do it when needed
  up                   start a cluster with one node, in a network namespace of its own
     --no-node             only API server, controllers and scheduler, on loopback
     --audit-webhook URL   send audit events there
  images load FILE     load a docker-archive into the node
  kubectl ARG...       run kubectl as the administrator
  shell [COMMAND...]   a shell, or one command, in the cluster's network: kubectl and kubesentry reach it there
  kubeconfig           print the path of the administrator's kubeconfig
  status               what runs
  logs COMPONENT       print the log of kube-apiserver, kubelet, containerd, coredns ...
  down                 end it and remove its state

Several clusters run side by side under different names; the name is "default" unless given.
`;

/** `--name` may stand before the arguments of others, which are not ours to read. */
function split(argv: string[]): { name: string; command: string | undefined; rest: string[] } {
  const [command, ...rest] = argv;
  const at = rest.indexOf('--name');
  const end = command === 'kubectl' || command === 'shell' ? 0 : rest.length;
  if (at < 0 || at > end) return { name: 'default', command, rest };
  return { name: rest[at + 1] ?? 'default', command, rest: [...rest.slice(0, at), ...rest.slice(at + 2)] };
}

const log = (line: string) => process.stderr.write(`${line}\n`);
const { name, command, rest } = split(process.argv.slice(2));

async function up(): Promise<void> {
  const { values } = parseArgs({
    args: rest,
    options: { 'no-node': { type: 'boolean' }, 'audit-webhook': { type: 'string' } },
  });
  const started = performance.now();
  const cluster = await startCluster({
    name,
    node: !values['no-node'],
    log,
    ...(values['audit-webhook'] && { audit: { url: values['audit-webhook'] } }),
  });
  log(
    `Cluster "${name}" is up after ${((performance.now() - started) / 1000).toFixed(1)} s at ${cluster.url}.`,
  );
  const named = name === 'default' ? '' : ` --name ${name}`;
  log(`Try: npm run cluster -- kubectl${named} get namespaces`);
}

function status(): void {
  for (const cluster of clusterNames()) {
    for (const daemon of daemons(clusterFolder(cluster))) {
      console.log(
        `${cluster.padEnd(16)} ${daemon.name.padEnd(26)} ${daemon.pid} ${isAlive(daemon) ? 'Running' : 'Ended'}`,
      );
    }
  }
}

function shell(): never {
  if (!daemons(clusterFolder(name)).some(isAlive))
    throw new Error(`"${name}" is not up: npm run cluster -- up --name ${name}`);
  if (rest.length === 0) log(`In the network of cluster "${name}"; kubectl reaches it. To leave: exit`);
  const { words, env } = shellIn(name, rest);
  pass(words, env);
}

function pass(words: string[], env = process.env): never {
  const [program, ...args] = words as [string, ...string[]];
  process.exit(spawnSync(program, args, { stdio: 'inherit', env }).status ?? 1);
}

try {
  if (command === 'build') {
    await ensureBinaries(log);
    await ensureCoreDns(log);
    await ensureHelm(log);
    await ensureActionlint(log);
  } else if (command === 'up') await up();
  else if (command === 'down') await stopCluster(name);
  else if (command === 'status') status();
  else if (command === 'images' && rest[0] === 'load' && rest[1]) importImage(clusterFolder(name), rest[1]);
  else if (command === 'kubeconfig') console.log(join(clusterFolder(name), 'admin.kubeconfig'));
  else if (command === 'kubectl')
    pass([...kubectlCommand(name), ...rest.filter((word, index) => index > 0 || word !== '--')]);
  else if (command === 'shell') shell();
  else if (command === 'logs' && rest[0]) pass(['cat', join(clusterFolder(name), `${rest[0]}.log`)]);
  else {
    process.stdout.write(HELP);
    process.exit(command === undefined || command === '--help' || command === 'help' ? 0 : 1);
  }
} catch (error) {
  log(`cluster: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
