import { readFile } from 'node:fs/promises';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { loadIndicators } from '../detection/load.ts';
import { connectCluster } from '../kube/http/connect.ts';
import { openFacts } from './audit/open.ts';
import { certificateFromFolder, certificateFromSecret } from './certificate-sources.ts';
import { collectInCalm } from './collect-in-calm.ts';
import { stdoutLog } from './log.ts';
import { parseWebhookArguments, WEBHOOK_HELP, type WebhookArguments } from './options.ts';
import { startWebhook } from './start.ts';
import { traceTarget } from './trace.ts';

/**
 * `kubesentry webhook`: resolves to the exit code; `argv` is what stands behind `webhook`. Raises USAGE, and what
 * startWebhook and the sources of certificates raise.
 */
export async function webhookCommand(argv: readonly string[]): Promise<number> {
  const args = parseWebhookArguments(argv);
  if (!args.help) return run(args);
  process.stdout.write(WEBHOOK_HELP);
  return 0;
}

async function run(args: WebhookArguments): Promise<number> {
  const asked = askedToStop();
  const log = stdoutLog(args.logLevel);
  const cluster = await connectCluster({ kubeconfig: args.kubeconfig });
  const secret = { name: args.secret, namespace: SYSTEM_NAMESPACE };
  const certificates =
    args.certDir === undefined
      ? await certificateFromSecret(cluster, secret, hostsOf(args), log)
      : await certificateFromFolder(args.certDir, [hostAsked(args)], log);
  const facts = args.audit && (await openFacts(args.audit));
  const tokenFile = args.audit?.tokenFile;
  const webhook = await startWebhook({
    cluster,
    indicators: await loadIndicators(),
    certificates,
    log,
    host: args.host,
    port: args.port,
    probePort: args.probePort,
    facts,
    alertUrls: args.alertUrls,
    auditToken: tokenFile === undefined ? undefined : () => readFile(tokenFile, 'utf8'),
    trace: traceTarget(process.env),
    register: args.register ? addressOf(args) : undefined,
    identity: args.identity,
    leaseSeconds: args.leaseSeconds,
    incidentDays: args.incidentDays,
    timeouts: { drain: args.drainSeconds * 1000 },
  });
  // Where Node was started with --expose-gc, as the image starts it.
  const { gc } = globalThis;
  const endCollecting = gc && collectInCalm(() => gc({ type: 'major', flavor: 'last-resort' }));
  const signal = await asked;
  log.info({ signal }, 'drains and stops');
  endCollecting?.();
  await webhook.close();
  await facts?.close();
  certificates.close();
  return 0;
}

function addressOf({ url, service }: WebhookArguments) {
  return url === undefined ? { service: { name: service, namespace: SYSTEM_NAMESPACE } } : { url };
}

/** Every name by which the API server and the agents may call. */
function hostsOf(args: WebhookArguments): string[] {
  const name = `${args.service}.${SYSTEM_NAMESPACE}.svc`;
  return [
    ...new Set([name, `${name}.cluster.local`, `${args.service}.${SYSTEM_NAMESPACE}`, hostAsked(args)]),
  ];
}

/** The one by which the API server does call. */
function hostAsked({ service, url }: WebhookArguments): string {
  if (url === undefined) return `${service}.${SYSTEM_NAMESPACE}.svc`;
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

/** The second signal ends the process as if nobody listened. */
function askedToStop(): Promise<string> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve('SIGTERM'));
    process.once('SIGINT', () => resolve('SIGINT'));
  });
}
