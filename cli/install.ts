import { KubesentryError } from '../api/errors.ts';
import { connectCluster } from '../kube/http/connect.ts';
import { check } from './install/check.ts';
import { install } from './install/install.ts';
import { readManifest } from './install/manifest.ts';
import { parseArguments } from './install/options.ts';
import { uninstall } from './install/uninstall.ts';

const INSTALL_HELP = `Usage: kubesentry install [--check] [-f FILE] [options]

Puts Kubesentry into the cluster and waits until it works; does the same again to upgrade or repair. It is what
\`kubectl apply --server-side --force-conflicts -f install.yaml\` does, with a look at the cluster first.

  --check            only look: what this cluster supports and what would go wrong. Nothing is changed.
                     Exit status 0 when nothing is in the way, 1 otherwise
  -f, --file FILE    install this instead of the manifest that belongs to this version; "-" is standard input
  --timeout SECONDS  how long each workload may take to be rolled out (default 120)
  --kubeconfig FILE  as kubectl has it
  --context NAME     as kubectl has it
  -h, --help         this text

State of a line: ok; look, which is for you to judge; WRONG, which is in the way; unknown.

Examples:
  kubesentry install --check                           before: would it work?
  kubesentry install
  kubesentry status                                    after: does it work?
  kubectl kustomize manifests/overlays/detect-only | kubesentry install -f -
  kubesentry uninstall --yes                           to undo it
`;

const UNINSTALL_HELP = `Usage: kubesentry uninstall --yes [-f FILE] [options]

Takes Kubesentry out of the cluster, in an order in which nothing hangs and nothing stays refused: quarantines end,
incidents and denials are deleted with their kinds.

  --yes              do it
  -f, --file FILE    what was installed, if it was not the manifest of this version
  --timeout SECONDS  how long each object may take to be gone (default 120)
  --kubeconfig FILE  as kubectl has it
  --context NAME     as kubectl has it
  -h, --help         this text

Examples:
  kubectl get incidents,denials -A -o yaml > records.yaml      before: keep the records
  kubesentry uninstall --yes
`;

const write = (text: string) => void process.stdout.write(text);

/** `kubesentry install`. Raises what the API server raises. */
export async function installCommand(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv, ['check']);
  if (args.help) {
    write(INSTALL_HELP);
    return 0;
  }
  const manifest = await readManifest(args.file);
  const cluster = await connectCluster(args);
  try {
    const { table, isFine } = await check({ cluster, manifest });
    write(table);
    if (args.check) return isFine ? 0 : 1;
    if (!isFine) {
      process.stderr.write('error: nothing was changed, since something is WRONG.\n');
      return 1;
    }
    await install({ cluster, manifest, write, patienceMs: args.timeoutMs });
    return 0;
  } finally {
    await cluster.close();
  }
}

/** `kubesentry uninstall`. Raises USAGE without --yes, and what the API server raises. */
export async function uninstallCommand(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv, ['yes']);
  if (args.help) {
    write(UNINSTALL_HELP);
    return 0;
  }
  if (!args.yes) {
    const what = 'Every incident and denial would be deleted and every quarantine ended; say --yes to do it.';
    throw new KubesentryError('USAGE', what);
  }
  const manifest = await readManifest(args.file);
  const cluster = await connectCluster(args);
  try {
    await uninstall({ cluster, manifest, write, patienceMs: args.timeoutMs });
    return 0;
  } finally {
    await cluster.close();
  }
}
