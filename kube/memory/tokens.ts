import { randomUUID } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, type JSONWebKeySet, SignJWT } from 'jose';

export const ISSUER = 'https://kubernetes.default.svc.cluster.local';

/** The shortest life of a token that a TokenRequest may ask for, seconds (apis/authentication/validation). */
export const SHORTEST_TOKEN_S = 600;

export interface TokenSubject {
  namespace: string;
  serviceAccount: { name: string; uid: string };
  pod?: { name: string; uid: string } | undefined;
  node?: { name: string; uid: string } | undefined;
}

/** Signs service-account tokens with the claims of a real API server (pkg/serviceaccount/claims.go). */
export class TokenSigner {
  readonly #pair = generateKeyPair('ES256', { extractable: true });
  readonly #keyId = randomUUID();

  async keys(): Promise<JSONWebKeySet> {
    const { publicKey } = await this.#pair;
    return { keys: [{ ...(await exportJWK(publicKey)), kid: this.#keyId, alg: 'ES256', use: 'sig' }] };
  }

  async sign(subject: TokenSubject, audience: string, expirationSeconds: number): Promise<string> {
    const { privateKey }: { privateKey: CryptoKey } = await this.#pair;
    const { namespace, serviceAccount, pod, node } = subject;
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({
      'kubernetes.io': {
        namespace,
        serviceaccount: serviceAccount,
        ...(pod && { pod }),
        ...(node && { node }),
      },
    })
      .setProtectedHeader({ alg: 'ES256', kid: this.#keyId })
      .setIssuer(ISSUER)
      .setSubject(`system:serviceaccount:${namespace}:${serviceAccount.name}`)
      .setAudience([audience])
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + expirationSeconds)
      .setJti(randomUUID())
      .sign(privateKey);
  }
}
