import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { KubesentryError } from '../../api/errors.ts';
import { API_VERSION, BREAK_GLASS_GROUP } from '../../api/names.ts';
import type { Cluster } from '../../kube/cluster.ts';

/** What a plugin command runs with; tests give an in-memory cluster. */
export interface Session {
  /** Asked for by those who need one: what a rule means can be told without. */
  connect: () => Promise<Cluster>;
  positionals: string[];
  /** Taken everywhere, as kubectl does; the help of those who heed it says so. */
  namespace: string | undefined;
  /** Values of the command's own options. */
  option: (name: string) => string | undefined;
  /** Whether one of the command's own switches was given. */
  flag: (name: string) => boolean;
  write: (text: string) => void;
  /** For people, beside what a program reads. */
  warn: (text: string) => void;
  /** Aborts when somebody wants a command to end that would go on. */
  signal: AbortSignal;
  /** Another exit status than 0, for what is no error of the command itself. */
  exitWith: (status: number) => void;
}

/** A command beside its own code. */
export interface Usage {
  /** Shown by --help; its first line when the number of arguments is not right. */
  text: string;
  arguments: readonly [least: number, most: number];
  /** Options of its own; each takes a value unless it is a switch. */
  options?: Readonly<Record<string, { short?: string; isSwitch?: true }>>;
}

const OPTIONS = `
      --as USER          act as this user, as kubectl has it
      --as-group GROUP   and as a member of this group; may be given again
      --kubeconfig FILE  as kubectl has it
      --context NAME     as kubectl has it
  -h, --help             this text
`;

/**
 * Makes a command of `act`: reads the options that all plugin commands share and those of its own, connects, runs.
 * Errors are the caller's to print.
 */
export function pluginCommand(
  usage: Usage,
  act: (session: Session) => Promise<void>,
): (argv: readonly string[]) => Promise<number> {
  return async (argv) => {
    const { values, positionals } = parse(argv, usage);
    const given: Record<string, unknown> = values;
    const text = (name: string) => {
      const value = given[name];
      return typeof value === 'string' ? value : undefined;
    };
    const write = (shown: string) => void process.stdout.write(shown);
    const warn = (shown: string) => void process.stderr.write(shown);
    if (values.help) {
      write(`${usage.text.trim()}\n${OPTIONS}`);
      return 0;
    }
    const [least, most] = usage.arguments;
    if (positionals.length < least || positionals.length > most) {
      const [line = ''] = usage.text.trim().split('\n');
      const problem = positionals.length < least ? 'Something is missing.' : 'These are too many arguments.';
      throw new KubesentryError('USAGE', `${problem} ${line}`);
    }
    const asGroups = (values['as-group'] ?? []) as string[];
    if (asGroups.length > 0 && text('as') === undefined) {
      throw new KubesentryError('USAGE', 'The API server takes --as-group together with --as only.');
    }
    let connected: { close(): Promise<void> } | undefined;
    const connect = async () => {
      const { connectCluster } = await import('../../kube/http/connect.ts');
      const cluster = await connectCluster({
        kubeconfig: text('kubeconfig'),
        context: text('context'),
        as: text('as'),
        asGroups,
      });
      connected = cluster;
      return cluster;
    };
    const stop = new AbortController();
    const interrupt = () => stop.abort();
    process.once('SIGINT', interrupt);
    try {
      let status = 0;
      const exitWith = (other: number) => {
        status = other;
      };
      await act({
        connect,
        positionals,
        namespace: text('namespace'),
        option: text,
        flag: (name) => given[name] === true,
        write,
        warn,
        exitWith,
        signal: stop.signal,
      });
      return status;
    } catch (error) {
      throw forPeople(error);
    } finally {
      process.off('SIGINT', interrupt);
      await connected?.close();
    }
  };
}

/** What the API server said, as people need to hear it who do not know what it keeps where. */
function forPeople(error: unknown): unknown {
  if (!(error instanceof KubesentryError)) return error;
  if (error.code === 'KUBE_REFUSED' && /would weaken Kubesentry/.test(error.message)) {
    const message = `Only the group ${BREAK_GLASS_GROUP} may do this.`;
    return new KubesentryError('BREAK_GLASS_NEEDED', message, { cause: error });
  }
  if (error.code === 'KUBE_NOT_FOUND' && UNKNOWN_KIND.test(error.message)) {
    const message = 'This cluster does not know the kinds of Kubesentry.';
    return new KubesentryError('NOT_INSTALLED', message, { cause: error });
  }
  return error;
}

/** A missing object is named by the API server; a path that it does not serve is not. */
const UNKNOWN_KIND = new RegExp(`^\\w+ /apis/${API_VERSION}/.* was answered with 404`);

function parse(argv: readonly string[], { options = {} }: Usage) {
  const own: ParseArgsOptionsConfig = Object.fromEntries(
    Object.entries(options).map(([name, { short, isSwitch }]) => [
      name,
      { type: isSwitch ? 'boolean' : 'string', ...(short && { short }) },
    ]),
  );
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        ...own,
        namespace: { type: 'string', short: 'n' },
        as: { type: 'string' },
        'as-group': { type: 'string', multiple: true },
        kubeconfig: { type: 'string' },
        context: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    // What parseArgs says behind it is about its own rules.
    throw new KubesentryError(
      'USAGE',
      error instanceof Error ? `${error.message.split('. ')[0]}.` : String(error),
    );
  }
}
