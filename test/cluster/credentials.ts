import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Who may log in with a token of its own (`--token-auth-file`): user name and groups as RBAC knows them. */
const IDENTITIES = {
  admin: { user: 'admin', groups: ['system:masters'] },
  'controller-manager': { user: 'system:kube-controller-manager', groups: [] },
  scheduler: { user: 'system:kube-scheduler', groups: [] },
  proxy: { user: 'system:kube-proxy', groups: ['system:node-proxier'] },
  kubelet: { user: 'system:node:node', groups: ['system:nodes'] },
} as const;

export type Identity = keyof typeof IDENTITIES;

export interface Credentials {
  tokenFile: string;
  /** RSA pair that signs and verifies service-account tokens, PEM files. */
  serviceAccountKey: string;
  serviceAccountPublicKey: string;
  token(identity: Identity): string;
}

/** Makes, or reads again, the credentials of the cluster in `folder`. */
export function ensureCredentials(folder: string): Credentials {
  const path = (name: string) => join(folder, name);
  const credentials: Credentials = {
    tokenFile: path('tokens.csv'),
    serviceAccountKey: path('sa.key'),
    serviceAccountPublicKey: path('sa.pub'),
    token(identity) {
      const { user } = IDENTITIES[identity];
      const line = readFileSync(path('tokens.csv'), 'utf8')
        .split('\n')
        .find((candidate) => candidate.split(',')[1] === user);
      return line?.split(',')[0] ?? '';
    },
  };
  if (existsSync(credentials.tokenFile)) return credentials;

  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const secret = { mode: 0o600 };
  writeFileSync(credentials.serviceAccountKey, privateKey.export({ type: 'pkcs1', format: 'pem' }), secret);
  writeFileSync(credentials.serviceAccountPublicKey, publicKey.export({ type: 'spki', format: 'pem' }));
  const lines = Object.values(IDENTITIES).map(
    ({ user, groups }) => `${randomBytes(16).toString('hex')},${user},${user},"${groups.join(',')}"`,
  );
  writeFileSync(credentials.tokenFile, `${lines.join('\n')}\n`, secret);
  return credentials;
}

export interface KubeconfigOptions {
  file: string;
  server: string;
  caFile: string;
  token: string;
}

export function writeKubeconfig({ file, server, caFile, token }: KubeconfigOptions): void {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'kubesentry',
    clusters: [
      {
        name: 'kubesentry',
        cluster: { server, 'certificate-authority-data': readFileSync(caFile).toString('base64') },
      },
    ],
    contexts: [{ name: 'kubesentry', context: { cluster: 'kubesentry', user: 'kubesentry' } }],
    users: [{ name: 'kubesentry', user: { token } }],
  };
  writeFileSync(file, JSON.stringify(config, null, 2), { mode: 0o600 });
}
