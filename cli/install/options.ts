import { parseArgs } from 'node:util';
import { KubesentryError } from '../../api/errors.ts';

export interface InstallArguments {
  help: boolean;
  check: boolean;
  yes: boolean;
  file: string | undefined;
  kubeconfig: string | undefined;
  context: string | undefined;
  timeoutMs: number;
}

/** Of `install` and `uninstall`; each has one switch of its own. Raises USAGE. */
export function parseArguments(
  argv: readonly string[],
  switches: readonly ('check' | 'yes')[],
): InstallArguments {
  const values = parse(argv);
  for (const name of ['check', 'yes'] as const) {
    if (values[name] && !switches.includes(name)) throw usage(`There is no --${name} here.`);
  }
  const seconds = Number(values.timeout ?? 120);
  if (!(seconds > 0 && seconds <= 3600)) throw usage('--timeout takes seconds, from 1 to 3600.');
  return {
    help: values.help === true,
    check: values.check === true,
    yes: values.yes === true,
    file: values.file,
    kubeconfig: values.kubeconfig,
    context: values.context,
    timeoutMs: seconds * 1000,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        check: { type: 'boolean' },
        yes: { type: 'boolean' },
        file: { type: 'string', short: 'f' },
        kubeconfig: { type: 'string' },
        context: { type: 'string' },
        timeout: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw usage(error instanceof Error ? `${error.message.split('. ')[0]}.` : String(error));
  }
}

const usage = (message: string) => new KubesentryError('USAGE', message);
