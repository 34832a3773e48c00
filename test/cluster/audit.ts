import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where audit events go: to a server, or into a file in the folder of the cluster, a line each, before a request is answered. */
export type AuditBackend = AuditServer | { file: string; policy: string };

interface AuditServer {
  url: string;
  /** CA of that server, PEM; it is not verified without one. */
  ca?: string;
  /** Sent as a bearer token. */
  token?: string;
  /** Text of an audit policy; one of every write and most reads without it. */
  policy?: string;
}

/** Writes the audit policy and backend of a cluster and answers the API server's flags for them. */
export function auditFlags(folder: string, audit: AuditBackend | undefined): string[] {
  if (!audit) return [];
  const policy = join(folder, 'audit-policy.yaml');
  writeFileSync(
    policy,
    audit.policy ??
      JSON.stringify({
        apiVersion: 'audit.k8s.io/v1',
        kind: 'Policy',
        omitStages: ['RequestReceived'],
        rules: [
          {
            level: 'None',
            users: ['system:apiserver', 'system:kube-scheduler', 'system:kube-controller-manager'],
            verbs: ['get', 'list', 'watch'],
          },
          { level: 'Metadata', resources: [{ group: '', resources: ['secrets', 'configmaps'] }] },
          { level: 'Request', verbs: ['create', 'update', 'patch', 'delete'] },
          { level: 'Metadata' },
        ],
      }),
  );
  if ('file' in audit)
    return [`--audit-policy-file=${policy}`, `--audit-log-path=${join(folder, audit.file)}`];
  const backend = join(folder, 'audit-backend.json');
  const cluster = audit.ca
    ? { server: audit.url, 'certificate-authority-data': Buffer.from(audit.ca).toString('base64') }
    : { server: audit.url, 'insecure-skip-tls-verify': true };
  writeFileSync(
    backend,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'audit', cluster }],
      users: [{ name: 'audit', user: audit.token === undefined ? {} : { token: audit.token } }],
      contexts: [{ name: 'audit', context: { cluster: 'audit', user: 'audit' } }],
      'current-context': 'audit',
    }),
  );
  return [
    `--audit-policy-file=${policy}`,
    `--audit-webhook-config-file=${backend}`,
    '--audit-webhook-batch-max-wait=1s',
  ];
}
