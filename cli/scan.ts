import { isatty } from 'node:tty';
import { parseArgs } from 'node:util';
import { ERRORS, KubesentryError } from '../api/errors.ts';
import { judgeObject } from '../detection/judge.ts';
import { loadIndicators } from '../detection/load.ts';
import { isRecord, textOf } from '../detection/shape.ts';
import { type ClusterOptions, resourcesIn } from './cluster-resources.ts';
import { errorLine } from './error-line.ts';
import { filesOf, type Resource, resourcesOf } from './resources.ts';
import { sarif } from './sarif.ts';
import { type Scanned, table } from './scan-table.ts';

const HELP = `Judge Kubernetes manifests: would Kubesentry admit them?

Usage:
  kubesentry scan [-f FILE|FOLDER|-]... [-o table|json|sarif]
  kubesentry scan --cluster [-n NAMESPACE] [-o table|json|sarif]

Options:
  -f, --filename NAME   a file, a folder (every .yaml, .yml and .json below it) or - for standard
                        input; may be repeated; standard input when absent
      --cluster         judge what exists in a cluster; nothing is changed and nothing has to be installed
  -n, --namespace NAME  with --cluster: only there
      --kubeconfig FILE, --context NAME   as kubectl has them
  -o, --output FORMAT   table (default), json or sarif
  -h, --help            this text

Exit status:
  0  nothing was denied
  1  something could not be read; the rest was judged
  2  something was denied

Examples:
  # Judge a folder of manifests
  kubesentry scan -f manifests/

  # Judge what a chart would install
  helm template my-release my-chart | kubesentry scan

  # Judge what runs already
  kubesentry scan --cluster

  # Feed code scanning
  kubesentry scan -f manifests/ -o sarif > kubesentry.sarif
`;

/** Nobody who forgot -f is to wait for a program that waits for them. */
const WAITS = 'Reading manifests from standard input, up to Ctrl-D; -f names a file or a folder.\n';

const FORMATS = ['table', 'json', 'sarif'] as const;
type Format = (typeof FORMATS)[number];

/** `kubesentry scan`. Returns the exit status. */
export async function scanCommand(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const { resources, errors } = options.cluster ? await resourcesIn(options.cluster) : readAll(options.names);
  const indicators = await loadIndicators();
  const scanned = resources.map(({ source, object, manifest }): Scanned => {
    const metadata = isRecord(object) && isRecord(object.metadata) ? object.metadata : {};
    return {
      source,
      kind: isRecord(object) ? textOf(object.kind) : '',
      namespace: textOf(metadata.namespace),
      name: textOf(metadata.name) || textOf(metadata.generateName),
      ...judgeObject(object, { indicators }),
      ...(manifest && { manifest }),
    };
  });
  process.stdout.write(print(options.format, scanned));
  for (const error of errors) process.stderr.write(errorLine(error));
  if (errors.length > 0) {
    process.stderr.write(`${ERRORS.INPUT_UNREADABLE.remedy}\n`);
    return 1;
  }
  return scanned.some(({ verdict }) => verdict === 'deny') ? 2 : 0;
}

interface Options {
  names: string[];
  format: Format;
  /** Judge what is in a cluster instead of files. */
  cluster: ClusterOptions | undefined;
}

function readOptions(argv: readonly string[]): Options | undefined {
  let parsed: {
    values: ClusterOptions & { filename?: string[]; output?: string; cluster?: boolean; help?: boolean };
    positionals: string[];
  };
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        filename: { type: 'string', short: 'f', multiple: true },
        output: { type: 'string', short: 'o' },
        cluster: { type: 'boolean' },
        namespace: { type: 'string', short: 'n' },
        kubeconfig: { type: 'string' },
        context: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    const why = cause instanceof Error ? `${cause.message.split('. ')[0]}.` : String(cause);
    throw new KubesentryError('USAGE', why, { cause });
  }
  if (parsed.values.help) return undefined;
  const format = FORMATS.find((known) => known === (parsed.values.output ?? 'table'));
  if (!format) throw new KubesentryError('USAGE', `There is no output format "${parsed.values.output}".`);
  // A file without -f is what people try first.
  const names = [...(parsed.values.filename ?? []), ...parsed.positionals];
  const { cluster, namespace, kubeconfig, context } = parsed.values;
  if (cluster && names.length > 0)
    throw new KubesentryError('USAGE', 'Scan files or a cluster, not both at once.');
  return {
    names: names.length === 0 ? ['-'] : names,
    format,
    cluster: cluster
      ? { ...(namespace && { namespace }), ...(kubeconfig && { kubeconfig }), ...(context && { context }) }
      : undefined,
  };
}

function readAll(names: readonly string[]): { resources: Resource[]; errors: KubesentryError[] } {
  const resources: Resource[] = [];
  const errors: KubesentryError[] = [];
  for (const name of names) {
    // Not process.stdin.isTTY: to look at it makes the terminal one that cannot be read in one go.
    if (name === '-' && isatty(0)) process.stderr.write(WAITS);
    const found = filesOf(name);
    errors.push(...found.errors);
    for (const file of found.files) {
      const read = resourcesOf(file);
      resources.push(...read.resources);
      errors.push(...read.errors);
    }
  }
  return { resources, errors };
}

function withoutText({ manifest: _, ...rest }: Scanned): object {
  return rest;
}

function print(format: Format, scanned: readonly Scanned[]): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(scanned.map(withoutText), undefined, 2)}\n`;
    case 'sarif':
      return `${JSON.stringify(sarif(scanned), undefined, 2)}\n`;
    case 'table':
      return table(scanned, process.stdout.isTTY === true && !process.env.NO_COLOR);
  }
}
