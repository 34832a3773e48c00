import { parseArgs } from 'node:util';
import { KubesentryError } from '../../api/errors.ts';
import type { Cluster } from '../../kube/cluster.ts';

/** What a plugin command runs with; tests give an in-memory cluster. */
export interface Session {
  /** Asked for by those who need one: what a rule means can be told without. */
  connect: () => Promise<Cluster>;
  positionals: string[];
  namespace: string | undefined;
  write: (text: string) => void;
}

const OPTIONS = `
  -n, --namespace NAME   look only there
  --kubeconfig FILE      as kubectl has it
  --context NAME         as kubectl has it
  -h, --help             this text
`;

/**
 * Makes a command of `act`: reads the options that all plugin commands share, connects, runs. `usage` is shown by
 * --help, and when the number of arguments is not within `arguments`. Errors are the caller's to print.
 */
export function pluginCommand(
  usage: string,
  [least, most]: readonly [least: number, most: number],
  act: (session: Session) => Promise<void>,
): (argv: readonly string[]) => Promise<number> {
  return async (argv) => {
    const { values, positionals } = parse(argv);
    const write = (text: string) => void process.stdout.write(text);
    if (values.help) {
      write(`${usage.trim()}\n${OPTIONS}`);
      return 0;
    }
    if (positionals.length < least || positionals.length > most) {
      throw new KubesentryError('USAGE', usage.trim().split('\n')[0] as string);
    }
    const { kubeconfig, context, namespace } = values;
    let connected: { close(): Promise<void> } | undefined;
    const connect = async () => {
      const { connectCluster } = await import('../../kube/http/connect.ts');
      const cluster = await connectCluster({ kubeconfig, context });
      connected = cluster;
      return cluster;
    };
    try {
      await act({ connect, positionals, namespace, write });
      return 0;
    } finally {
      await connected?.close();
    }
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        namespace: { type: 'string', short: 'n' },
        kubeconfig: { type: 'string' },
        context: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new KubesentryError('USAGE', error instanceof Error ? error.message : String(error));
  }
}
