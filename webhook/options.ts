import { parseArgs } from 'node:util';
import { KubesentryError } from '../api/errors.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { INCIDENT_DAYS } from './incident/retention.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';

export const WEBHOOK_HELP = `Usage: kubesentry webhook [options]

Serves admission reviews and the agents' reports over HTTPS, and runs the response to detections.

  --host ADDRESS           address to listen on (default 0.0.0.0)
  --port PORT              port of /validate and /v1/detections (default 8443)
  --probe-port PORT        port of /healthz, /readyz and /metrics, plain HTTP (default 8080)
  --kubeconfig FILE        API server to use; without it KUBECONFIG, ~/.kube/config, or the pod's service account
  --service NAME           Service by which the API server finds this webhook, in ${SYSTEM_NAMESPACE}
                           (default kubesentry-webhook)
  --secret NAME            Secret in ${SYSTEM_NAMESPACE} that holds the certificate authority and the serving
                           certificate; made if absent (default kubesentry-webhook-tls)
  --cert-dir FOLDER        take tls.crt, tls.key and ca.crt from here instead
  --url URL                address that the API server uses instead of the Service, such as https://10.0.0.5:8443
  --no-register            leave the ValidatingWebhookConfiguration alone; manifests or people put the CA in
  --alert-url URL          tell about incidents there, in the format of Falco's http_output, as falcosidekick takes it;
                           may be given again
  --alertmanager-url URL   tell a Prometheus Alertmanager; may be given again
  --audit-db FILE          keep the audit history there (SQLite), to say who did it and what else is theirs; or in a
                           PostgreSQL that all replicas share: postgres://USER@HOST/DATABASE (password: PGPASSWORD)
  --audit-token-file FILE  token that the API server's audit webhook has to send; read again for every batch
  --audit-days DAYS        how long audit history is kept (default 7)
  --audit-size MIB         how large it may get (default 1024)
  --incident-days DAYS     how long incidents that are over are kept (default ${INCIDENT_DAYS})
  --identity NAME          tells replicas apart when they elect who runs the response (default the host name)
  --lease-seconds SECONDS  how long a leader that has vanished is waited for (default 15)
  --drain-seconds SECONDS  go on serving so long after SIGTERM (default 5)
  --log-level LEVEL        ${LOG_LEVELS.join(', ')} (default info)
  -h, --help               this text

Examples:
  kubesentry webhook                                               in a pod of the manifest
  kubesentry webhook --kubeconfig ~/.kube/config --url https://10.0.0.5:8443
  kubesentry webhook --alertmanager-url http://alertmanager.monitoring:9093

OTEL_EXPORTER_OTLP_ENDPOINT sends traces to an OpenTelemetry collector, as JSON over HTTP; OTEL_EXPORTER_OTLP_HEADERS
and OTEL_SERVICE_NAME are heeded too. Logs are JSON lines on standard output. SIGTERM and SIGINT drain and stop.
`;

export interface WebhookArguments {
  help: boolean;
  host: string;
  port: number;
  probePort: number;
  kubeconfig: string | undefined;
  service: string;
  secret: string;
  certDir: string | undefined;
  url: string | undefined;
  register: boolean;
  audit: { database: string; tokenFile: string; days: number; mebibytes: number } | undefined;
  alertUrls: { falco: string[]; alertmanager: string[] };
  identity: string | undefined;
  incidentDays: number;
  leaseSeconds: number;
  drainSeconds: number;
  logLevel: LogLevel;
}

/** Raises USAGE. */
export function parseWebhookArguments(argv: readonly string[]): WebhookArguments {
  const values = parse(argv);
  const logLevel = LOG_LEVELS.find((level) => level === (values['log-level'] ?? 'info'));
  if (!logLevel) throw usage(`--log-level takes one of ${LOG_LEVELS.join(', ')}.`);
  if (values.url !== undefined && !URL.canParse(values.url)) throw usage('--url takes an https address.');
  return {
    help: values.help === true,
    host: values.host ?? '0.0.0.0',
    port: numberOf('--port', values.port, 8443, 65_535),
    probePort: numberOf('--probe-port', values['probe-port'], 8080, 65_535),
    kubeconfig: values.kubeconfig,
    service: values.service ?? 'kubesentry-webhook',
    secret: values.secret ?? 'kubesentry-webhook-tls',
    certDir: values['cert-dir'],
    url: values.url?.replace(/\/+$/, ''),
    register: values['no-register'] !== true,
    alertUrls: {
      falco: urlsOf('--alert-url', values['alert-url']),
      alertmanager: urlsOf('--alertmanager-url', values['alertmanager-url']),
    },
    audit: auditOf(values),
    identity: values.identity,
    incidentDays: numberOf('--incident-days', values['incident-days'], INCIDENT_DAYS, 3650, 1),
    leaseSeconds: numberOf('--lease-seconds', values['lease-seconds'], 15, 3600, 1),
    drainSeconds: numberOf('--drain-seconds', values['drain-seconds'], 5, 3600),
    logLevel,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        host: { type: 'string' },
        port: { type: 'string' },
        'probe-port': { type: 'string' },
        kubeconfig: { type: 'string' },
        service: { type: 'string' },
        secret: { type: 'string' },
        'cert-dir': { type: 'string' },
        url: { type: 'string' },
        'no-register': { type: 'boolean' },
        'alert-url': { type: 'string', multiple: true },
        'alertmanager-url': { type: 'string', multiple: true },
        'audit-db': { type: 'string' },
        'audit-token-file': { type: 'string' },
        'audit-days': { type: 'string' },
        'audit-size': { type: 'string' },
        'incident-days': { type: 'string' },
        identity: { type: 'string' },
        'lease-seconds': { type: 'string' },
        'drain-seconds': { type: 'string' },
        'log-level': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw usage(error instanceof Error ? `${error.message.split('. ')[0]}.` : String(error));
  }
}

/** Facts without a token could be anybody's, and a token without a store would have nowhere to put them. */
function auditOf(values: ReturnType<typeof parse>): WebhookArguments['audit'] {
  const database = values['audit-db'];
  const tokenFile = values['audit-token-file'];
  if (database === undefined && tokenFile === undefined) return undefined;
  if (database === undefined || tokenFile === undefined) {
    throw usage('--audit-db and --audit-token-file belong together.');
  }
  return {
    database,
    tokenFile,
    days: numberOf('--audit-days', values['audit-days'], 7, 365),
    mebibytes: numberOf('--audit-size', values['audit-size'], 1024, 1024 * 1024),
  };
}

function urlsOf(option: string, urls: string[] = []): string[] {
  for (const url of urls) {
    // Not shown whole: such an address is often a secret.
    if (!/^https?:\/\//.test(url) || !URL.canParse(url))
      throw usage(`${option} takes an http or https address.`);
  }
  return urls;
}

function numberOf(
  option: string,
  text: string | undefined,
  initial: number,
  most: number,
  least = 0,
): number {
  if (text === undefined) return initial;
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw usage(`${option} takes a number from ${least} to ${most}, not "${text}".`);
}

function usage(message: string): KubesentryError {
  return new KubesentryError('USAGE', message);
}
