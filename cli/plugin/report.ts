import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import type { JSONWebKeySet } from 'jose';
import { type ErrorCode, KubesentryError } from '../../api/errors.ts';
import type { Incident } from '../../api/incident.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { REPORT_ENTRY, type Report, reportConfigMap, type SignedReport } from '../../api/report.ts';
import { parseUnambiguous } from '../../certs/canonical.ts';
import { verifySeal } from '../../certs/seal.ts';
import { reportKeys } from '../../certs/signing-key.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { reportOn } from '../../kube/report.ts';
import { noIncident } from './incidents.ts';
import { pluginCommand, type Session } from './options.ts';
import { html } from './report/html.ts';
import { markdown } from './report/markdown.ts';
import { ocsf } from './report/ocsf.ts';

const USAGE = `
Usage: kubectl kubesentry report INCIDENT [-o md|html|json|ocsf]
       kubectl kubesentry report --verify FILE [--keys FILE]
       kubectl kubesentry report --print-keys

Writes what happened, for the cloud provider and for the review: what was seen, what was done, the timeline.
  md     Markdown (the default)
  html   one file without scripts: timeline, process tree, CPU
  json   everything that is kept, for programs; signed by Kubesentry in the cluster
  ocsf   Detection Findings of the Open Cybersecurity Schema, one a line, for a SIEM
An incident that is over is deleted after a month (webhook --incident-days), and its report with it.

Examples:
  kubectl kubesentry report shop-web-1a2b3c -o html > report.html
  kubectl kubesentry report shop-web-1a2b3c -o json > report.json
  kubectl kubesentry report --verify report.json                      is it what this cluster signed?
  kubectl kubesentry report --print-keys > keys.json                  keep them outside of the cluster
  kubectl kubesentry report --verify report.json --keys keys.json     needs no cluster

  -o, --output FORMAT    md, html, json or ocsf
      --verify FILE      say whether a signed JSON report is unchanged ("-": standard input); exit 1 if not
      --keys FILE        verify with these public keys, not with those of the cluster
      --print-keys       write the public keys of all reports of this cluster, a JWK Set
`;

const FORMATS: Readonly<Record<string, (report: Report) => string>> = {
  md: markdown,
  html,
  json: (report) => `${JSON.stringify(report, null, 2)}\n`,
  ocsf,
};

/** How long the webhook may take to sign what has just changed, milliseconds. */
const PATIENCE_MS = 6_000;

export const reportCommand = pluginCommand(
  {
    text: USAGE,
    arguments: [0, 1],
    options: { output: { short: 'o' }, verify: {}, keys: {}, 'print-keys': { isSwitch: true } },
  },
  report,
);

/** Raises USAGE for a format that there is not, KUBE_NOT_FOUND, and REPORT_FORGED or REPORT_UNSIGNED with --verify. */
export async function report(session: Session): Promise<void> {
  const { connect, positionals, option, flag, write, warn } = session;
  const verified = option('verify');
  if (verified !== undefined) return verify(verified, session);
  if (flag('print-keys')) {
    write(`${JSON.stringify(await reportKeys(await connect(), SYSTEM_NAMESPACE), null, 2)}\n`);
    return;
  }
  const [name] = positionals;
  if (name === undefined) {
    throw new KubesentryError('USAGE', 'Name the incident; all of them: kubectl kubesentry incidents');
  }
  const wanted = option('output') ?? 'md';
  const format = Object.hasOwn(FORMATS, wanted) ? FORMATS[wanted] : undefined;
  if (!format) throw new KubesentryError('USAGE', `There is no format "${wanted}": md, html, json or ocsf.`);
  const cluster = await connect();
  const incident = await cluster.get(KIND.Incident, { name });
  if (!incident) throw noIncident(name);
  const signed = wanted === 'json' ? await signedReport(cluster, incident, warn) : undefined;
  write(format(signed ?? (await reportOn(cluster, incident, new Date()))));
}

/** What the webhook signed; the newest that there is, after a moment of patience for what has just changed. */
async function signedReport(
  cluster: Cluster,
  incident: Incident,
  warn: Session['warn'],
): Promise<SignedReport | undefined> {
  const { name = '' } = incident.metadata;
  if (incident.status === undefined || incident.status.phase === 'Detected') {
    warn(`Not signed: ${name} is a suspicion so far, and only what is confirmed is signed.\n`);
    return undefined;
  }
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const signed = await readSigned(cluster, name);
    const now = await cluster.get(KIND.Incident, { name });
    if (signed && signed.incident.metadata.resourceVersion === now?.metadata.resourceVersion) return signed;
    if (performance.now() < deadline) {
      await pause(200);
      continue;
    }
    warn(
      signed
        ? `The signed report is of ${signed.generated}; the incident has changed since. Ask again in half a minute.\n`
        : 'Not signed: no webhook replica leads the response (kubectl kubesentry status), or it is older than the signing.\n',
    );
    return signed;
  }
}

async function readSigned(cluster: Cluster, incident: string): Promise<SignedReport | undefined> {
  const key = { namespace: SYSTEM_NAMESPACE, name: reportConfigMap(incident) };
  const map = (await cluster.get(KIND.ConfigMap, key)) as { binaryData?: Record<string, string> } | undefined;
  const packed = map?.binaryData?.[REPORT_ENTRY];
  if (packed === undefined) return undefined;
  return JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString()) as SignedReport;
}

async function verify(file: string, { connect, option, write }: Session): Promise<void> {
  const signed = parsed('REPORT_UNSIGNED', file === '-' ? await text(process.stdin) : read(file));
  const keyFile = option('keys');
  const keys =
    keyFile === undefined
      ? await reportKeys(await connect(), SYSTEM_NAMESPACE)
      : (parsed('INPUT_UNREADABLE', read(keyFile)) as JSONWebKeySet);
  const { report: shown, keyId } = await verifySeal(signed, keys);
  write(
    `Unchanged: the report of incident ${shown.incident.metadata.name} as Kubesentry signed it at ${shown.generated}, key ${keyId}.\n`,
  );
}

/** For people, who send nothing and have a file; `code` says what to do about one that is not right. */
function parsed(code: ErrorCode, json: string): unknown {
  try {
    return parseUnambiguous(json);
  } catch (error) {
    if (!(error instanceof KubesentryError)) throw error;
    throw new KubesentryError(code, error.message, { cause: error });
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KubesentryError('INPUT_UNREADABLE', `The file cannot be read: ${why}.`, { cause });
  }
}
