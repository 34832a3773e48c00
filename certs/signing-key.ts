import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
} from 'jose';
import { KubesentryError } from '../api/errors.ts';
import type { KubeObject } from '../api/object.ts';
import { REPORT_KEYS_CONFIG_MAP, REPORT_KEYS_ENTRY } from '../api/report.ts';
import type { Cluster } from '../kube/cluster.ts';
import { KIND } from '../kube/kind.ts';
import { ALGORITHM } from './seal.ts';

export interface SigningKey {
  /** JWK thumbprint (RFC 7638): follows from the key itself. */
  id: string;
  privateKey: CryptoKey;
}

const SECRET = 'kubesentry-report-key';
const ENTRY = 'key.jwk';
const BORN = 'born';

/** How long a key signs. Its public half is kept, so that what it signed can be verified afterwards. */
const LIFETIME_MS = 365 * 24 * 60 * 60_000;

/** Public keys that are kept; the oldest go first. */
const MOST_KEYS = 64;

const ATTEMPTS = 10;

/**
 * The key that signs reports, from a Secret in `namespace`; made there first, and again after a year or when somebody
 * deletes the Secret. Its public half is published before it signs anything. Replicas that come at the same time agree.
 */
export async function ensureSigningKey(
  cluster: Cluster,
  namespace: string,
  now: () => number = Date.now,
): Promise<SigningKey> {
  for (let attempt = 1; ; attempt++) {
    try {
      const key = { namespace, name: SECRET };
      const secret = (await cluster.get(KIND.Secret, key)) as SecretObject | undefined;
      const jwk = privateIn(secret, now());
      if (jwk) {
        const id = await publish(cluster, namespace, jwk);
        return { id, privateKey: (await importJWK(jwk, ALGORITHM)) as CryptoKey };
      }
      const pair = await generateKeyPair(ALGORITHM, { extractable: true });
      await write(cluster, key, secret, await exportJWK(pair.privateKey), now());
    } catch (error) {
      // Another replica was faster; what it wrote is read in the next turn.
      const isConflict = error instanceof KubesentryError && error.code === 'KUBE_CONFLICT';
      if (!isConflict || attempt === ATTEMPTS) throw error;
    }
  }
}

/** The public keys of all reports of this cluster; none before the first was signed. */
export async function reportKeys(cluster: Pick<Cluster, 'get'>, namespace: string): Promise<JSONWebKeySet> {
  return keysIn(await cluster.get(KIND.ConfigMap, { namespace, name: REPORT_KEYS_CONFIG_MAP }));
}

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

function privateIn(secret: SecretObject | undefined, now: number): JWK | undefined {
  const text = (entry: string) => Buffer.from(secret?.data?.[entry] ?? '', 'base64').toString();
  const born = Date.parse(text(BORN));
  if (!(now - born < LIFETIME_MS)) return undefined;
  try {
    const jwk = JSON.parse(text(ENTRY)) as JWK;
    return jwk.kty === 'EC' && jwk.crv === 'P-256' && jwk.d ? jwk : undefined;
  } catch {
    return undefined;
  }
}

async function write(
  cluster: Cluster,
  key: { namespace: string; name: string },
  before: SecretObject | undefined,
  jwk: JWK,
  now: number,
): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const data = { [ENTRY]: base64(JSON.stringify(jwk)), [BORN]: base64(new Date(now).toISOString()) };
  if (before) await cluster.update(KIND.Secret, { ...before, data } as KubeObject);
  else {
    await cluster.create(KIND.Secret, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: key,
      type: 'Opaque',
      data,
    });
  }
}

/** Answers its id. */
async function publish(cluster: Cluster, namespace: string, { kty, crv, x, y }: JWK): Promise<string> {
  const bare = { kty, crv, x, y } as JWK;
  const id = await calculateJwkThumbprint(bare);
  const name = REPORT_KEYS_CONFIG_MAP;
  const before = await cluster.get(KIND.ConfigMap, { namespace, name });
  const known = keysIn(before).keys;
  if (known.some(({ kid }) => kid === id)) return id;
  const keys = [{ ...bare, kid: id, alg: ALGORITHM, use: 'sig' }, ...known].slice(0, MOST_KEYS);
  const data = { [REPORT_KEYS_ENTRY]: JSON.stringify({ keys }, null, 2) };
  const map: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data };
  if (before) await cluster.update(KIND.ConfigMap, { ...before, data });
  else await cluster.create(KIND.ConfigMap, map);
  return id;
}

function keysIn(map: KubeObject | undefined): JSONWebKeySet {
  const text = (map?.data as Record<string, string> | undefined)?.[REPORT_KEYS_ENTRY];
  try {
    const { keys } = JSON.parse(text ?? '') as JSONWebKeySet;
    return { keys: Array.isArray(keys) ? keys : [] };
  } catch {
    return { keys: [] };
  }
}
