import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { KubesentryError } from '../api/errors.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';

export const AGENT_HELP = `Usage: kubesentry agent [options]

Watches this node with eBPF and reports cryptominers: by name, arguments, hash, destination, the pool protocol on
the wire, downloads that are executed, floating-point rounding and CPU time. Payload stays in the kernel: it hands up
which protocol it saw, never the bytes.

Examples:
  kubesentry agent --check                      say what this kernel supports, and end
  kubesentry agent --standalone                 print detections as JSON lines, on any machine
  kubesentry agent --standalone -o text         the same for people
  kubesentry agent --standalone --cgroup PATH   only what runs in one cgroup
  kubesentry agent --webhook https://kubesentry-webhook.kubesentry-system.svc
                                                in a cluster: what the DaemonSet does

  --standalone            needs no cluster and no webhook
  -o, --output FORMAT     print detections to standard output: jsonl (default with --standalone) or text.
                          A later line with the same id updates the earlier one
  --cgroup PATH           watch only this cgroup and what is below it; path below the root of the hierarchy
  --enforce               act as well: kill listed programs at exec, refuse listed destinations, drop pool traffic
                          (a SentryPolicy with spec.runtime.mode: enforce does the same)
  --freeze                with --enforce: freeze the container of a miner instead of killing it, until the agent ends
                          or the quarantine is released (spec.runtime.stop: freeze)
  --node NAME             name of this node; NODE_NAME, else the host name
  --webhook URL           where detections are reported
  --token-file FILE       service-account token for the webhook, read again before each report
                          (default /var/run/secrets/kubesentry/token)
  --ca-file FILE          CA of the webhook in PEM, read again before each report; without it the one that the
                          webhook publishes in the cluster
                          (default /etc/kubesentry/ca/ca.crt if that exists, else the system's)
  --spool DIR             where detections wait until they are acknowledged (default /var/lib/kubesentry/spool)
  --kubeconfig FILE       how to reach the API server; in a pod its service account does
  --proc DIR              where the node's /proc is seen (default /proc)
  --cgroup-root DIR       where the node's cgroups are seen (default: found in mountinfo)
  --metrics-port PORT     serve /metrics, /healthz and /readyz there
  --log-level LEVEL       ${LOG_LEVELS.join(', ')} (default info; warn with --standalone). Logs go to
                          standard error
  --check                 say line by line what this kernel supports; exit 0 if the agent can work here, else 1
  -h, --help              this text

Needs a kernel from 5.10 on with BTF, and root or the capabilities BPF, PERFMON, NET_ADMIN, SYS_PTRACE and KILL.
Ends with exit code 0 on SIGINT and SIGTERM and leaves nothing in the kernel.
`;

export interface AgentArguments {
  help: boolean;
  check: boolean;
  standalone: boolean;
  output: 'jsonl' | 'text' | undefined;
  enforce: boolean;
  freeze: boolean;
  cgroup: string | undefined;
  node: string;
  webhook: string | undefined;
  tokenFile: string;
  caFile: string | undefined;
  spool: string;
  kubeconfig: string | undefined;
  proc: string | undefined;
  cgroupRoot: string | undefined;
  metricsPort: number | undefined;
  logLevel: LogLevel;
}

/** Reads the arguments behind `agent`. Raises USAGE with a sentence that names the option. */
export function parseAgentArguments(argv: readonly string[], env: NodeJS.ProcessEnv): AgentArguments {
  const values = read(argv);
  const standalone = values.standalone ?? false;
  if (standalone && values.webhook !== undefined) {
    throw usage('--standalone reports to nobody; leave out --webhook or --standalone.');
  }
  if (!standalone && values.webhook === undefined && !values.check && !values.help) {
    throw usage('Say where detections go: --webhook URL in a cluster, or --standalone to print them.');
  }
  if (values.freeze && !values.enforce) throw usage('--freeze says how to act; it needs --enforce.');
  return {
    help: values.help ?? false,
    check: values.check ?? false,
    standalone,
    output: oneOf('--output', values.output, ['jsonl', 'text']) ?? (standalone ? 'jsonl' : undefined),
    enforce: values.enforce ?? false,
    freeze: values.freeze ?? false,
    cgroup: values.cgroup,
    node: values.node ?? env.NODE_NAME ?? hostname(),
    webhook: urlOf(values.webhook),
    tokenFile: values['token-file'] ?? '/var/run/secrets/kubesentry/token',
    caFile: values['ca-file'],
    spool: values.spool ?? '/var/lib/kubesentry/spool',
    kubeconfig: values.kubeconfig,
    proc: values.proc,
    cgroupRoot: values['cgroup-root'],
    metricsPort: portOf(values['metrics-port']),
    logLevel: oneOf('--log-level', values['log-level'], LOG_LEVELS) ?? (standalone ? 'warn' : 'info'),
  };
}

function read(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: {
        standalone: flag,
        output: { type: 'string', short: 'o' },
        cgroup: text,
        enforce: flag,
        freeze: flag,
        node: text,
        webhook: text,
        'token-file': text,
        'ca-file': text,
        spool: text,
        kubeconfig: text,
        proc: text,
        'cgroup-root': text,
        'metrics-port': text,
        'log-level': text,
        check: flag,
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (cause) {
    throw usage(cause instanceof Error ? `${cause.message.split('. ')[0]}.` : String(cause));
  }
}

function oneOf<T extends string>(
  option: string,
  value: string | undefined,
  allowed: readonly T[],
): T | undefined {
  if (value === undefined || (allowed as readonly string[]).includes(value)) return value as T | undefined;
  throw usage(`${option} is one of ${allowed.join(', ')}, not ${value}.`);
}

function urlOf(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) return value;
  throw usage(
    `--webhook takes an address such as https://kubesentry-webhook.kubesentry-system.svc, not ${value}.`,
  );
}

function portOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const port = Number(value);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw usage(`--metrics-port takes a port from 0 to 65535, not ${value}.`);
}

function usage(message: string): KubesentryError {
  return new KubesentryError('USAGE', message);
}
