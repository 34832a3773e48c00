import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KubesentryError } from '../api/errors.ts';
import { SYSTEM_NAMESPACE } from '../api/names.ts';
import { openFacts } from '../webhook/audit/open.ts';
import { ingest } from './audit-ingest.ts';

/** The API server's machine knows no names of Services, so that it calls by address. */
const SERVICE = `kubesentry-webhook.${SYSTEM_NAMESPACE}.svc`;

const HELP = `Usage: kubesentry audit ingest FILE... --db FILE
       kubesentry audit kubeconfig --server URL --ca-file FILE --token-file FILE [--tls-server-name NAME]
       kubesentry audit policy

  ingest      read audit logs into a history: JSON lines or documents of the API server, of EKS (CloudWatch),
              GKE (Cloud Logging) and AKS (diagnostic settings); "-" is standard input
  kubeconfig  print the file for kube-apiserver --audit-webhook-config-file
  policy      print the file for kube-apiserver --audit-policy-file

  --db FILE          history to write to, as webhook --audit-db
  --server URL       address of the webhook as the API server reaches it, such as https://10.0.0.5:8443
  --ca-file FILE     certificate authority of the webhook, PEM
  --tls-server-name  name in the webhook's certificate, for a --server that is an address
                     (default kubesentry-webhook.${SYSTEM_NAMESPACE}.svc)
  --token-file FILE  token, the same as webhook --audit-token-file
  -h, --help         this text

Examples:
  kubesentry audit policy > audit-policy.yaml
  kubesentry audit ingest /var/log/kubernetes/audit.log --db history.db
  kubesentry audit kubeconfig --server https://10.0.0.5:8443 --ca-file ca.crt --token-file token > audit-webhook.yaml
`;

/** `kubesentry audit`. Raises USAGE, INPUT_UNREADABLE, and what the store raises. */
export async function auditCommand(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parse(argv);
  const [command, ...files] = positionals;
  if (values.help === true) process.stdout.write(HELP);
  else if (command === 'policy') {
    process.stdout.write(await read(policyFile()));
  } else if (command === 'kubeconfig') {
    const { server, 'ca-file': ca, 'token-file': token, 'tls-server-name': name = SERVICE } = values;
    if (!server || !ca || !token) throw usage('kubeconfig needs --server, --ca-file and --token-file.');
    process.stdout.write(kubeconfig(server, name, await read(ca), (await read(token)).trim()));
  } else if (command === 'ingest') {
    if (!values.db || files.length === 0) throw usage('ingest needs --db and at least one file.');
    const store = await openFacts({ database: values.db });
    try {
      const counts = await ingest(files, store);
      process.stdout.write(`${JSON.stringify(counts)}\n`);
    } finally {
      await store.close();
    }
  } else throw usage(`audit takes ingest, kubeconfig or policy, not "${command ?? ''}".`);
  return 0;
}

/** Of the checkout, or beside the bundle. */
function policyFile(): string {
  const beside = join(import.meta.dirname, 'audit-policy.yaml');
  return existsSync(beside) ? beside : join(import.meta.dirname, '..', 'manifests', 'audit', 'policy.yaml');
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        db: { type: 'string' },
        server: { type: 'string' },
        'ca-file': { type: 'string' },
        'tls-server-name': { type: 'string' },
        'token-file': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw usage(error instanceof Error ? `${error.message.split('. ')[0]}.` : String(error));
  }
}

/** JSON is YAML. */
function kubeconfig(server: string, name: string, ca: string, token: string): string {
  if (!URL.canParse(server) || !server.startsWith('https://'))
    throw usage('--server takes an https address.');
  const url = `${server.replace(/\/+$/, '')}/audit`;
  const cluster = {
    server: url,
    'tls-server-name': name,
    'certificate-authority-data': Buffer.from(ca).toString('base64'),
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'kubesentry', cluster }],
    users: [{ name: 'kubesentry', user: { token } }],
    contexts: [{ name: 'kubesentry', context: { cluster: 'kubesentry', user: 'kubesentry' } }],
    'current-context': 'kubesentry',
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new KubesentryError('INPUT_UNREADABLE', `${file} cannot be read.`, { cause });
  }
}

function usage(message: string): KubesentryError {
  return new KubesentryError('USAGE', message);
}
