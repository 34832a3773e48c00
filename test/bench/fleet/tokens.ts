import { createPrivateKey, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_USER, SYSTEM_NAMESPACE, TOKEN_AUDIENCE } from '../../../api/names.ts';
import type { HttpCluster } from '../../../kube/http/cluster.ts';
import { KIND } from '../../../kube/kind.ts';
import type { RunningCluster } from '../../cluster/cluster.ts';

const LIFETIME_S = 2 * 60 * 60;

/** Makes tokens of agents with the key of the cluster itself: TokenRequest makes the same, 5,000 of them in a minute. */
export interface TokenMint {
  /** As a pod mounts it for the webhook, with the node's claim. */
  forWebhook(node: string): string;
  /** As a pod mounts it for the API server. */
  forApiServer(): string;
}

export async function tokenMint(cluster: RunningCluster, admin: HttpCluster): Promise<TokenMint> {
  const name = 'kubesentry-agent';
  const account = await admin.get(KIND.ServiceAccount, { namespace: SYSTEM_NAMESPACE, name });
  const { issuer, keys } = await admin.tokenIssuer();
  const key = createPrivateKey(readFileSync(join(cluster.folder, 'sa.key')));
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = encode({ alg: 'RS256', kid: keys.keys[0]?.kid });
  const mint = (audience: string, more: object) => {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: issuer,
      sub: AGENT_USER,
      aud: [audience],
      iat: now,
      nbf: now,
      exp: now + LIFETIME_S,
      jti: randomUUID(),
      'kubernetes.io': {
        namespace: SYSTEM_NAMESPACE,
        serviceaccount: { name, uid: account?.metadata.uid },
        ...more,
      },
    };
    const content = `${header}.${encode(claims)}`;
    return `${content}.${sign('sha256', Buffer.from(content), key).toString('base64url')}`;
  };
  return {
    forWebhook: (node) => mint(TOKEN_AUDIENCE, { node: { name: node, uid: node } }),
    forApiServer: () => mint(issuer, {}),
  };
}
