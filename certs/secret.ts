import { KubesentryError } from '../api/errors.ts';
import type { KubeObject } from '../api/object.ts';
import type { Cluster, ObjectKey } from '../kube/cluster.ts';
import { KIND } from '../kube/kind.ts';
import {
  checkServingPair,
  issueServingPair,
  type KeyPair,
  LIFETIME_DAYS,
  makeAuthority,
} from './authority.ts';

/** What the Secret holds. */
export interface Certificates {
  authority: KeyPair;
  serving: KeyPair;
  /** When the serving certificate ends. */
  notAfter: Date;
}

/** Keys of the Secret's data; the first two are those of kubernetes.io/tls. */
const DATA = { certificate: 'tls.crt', key: 'tls.key', caCertificate: 'ca.crt', caKey: 'ca.key' } as const;

/** A new serving certificate is due when less than a third of its life is left. */
const RENEW_MS = (LIFETIME_DAYS.serving / 3) * 86_400_000;

/**
 * The certificates in the Secret `key`, made first if there are none, and renewed when they are near their end or of no
 * use (corrupt, foreign, expired, lacking one of `hosts`); `onRepair` hears why. Replicas that come at the same time
 * agree: one writes, the others read what it wrote.
 */
export async function ensureCertificates(
  cluster: Cluster,
  key: ObjectKey,
  hosts: readonly string[],
  { onRepair = () => {}, now = Date.now }: { onRepair?: (reason: string) => void; now?: () => number } = {},
): Promise<Certificates> {
  for (;;) {
    const secret = await cluster.get(KIND.Secret, key);
    const current = secret && read(secret);
    let reason = 'there is no certificate yet';
    if (current) {
      try {
        const { notAfter } = await checkServingPair(current.authority, current.serving, hosts, now());
        if (notAfter.getTime() - now() > RENEW_MS) return { ...current, notAfter };
        reason = `the serving certificate ends at ${notAfter.toISOString()}`;
      } catch (error) {
        if (!(error instanceof KubesentryError && error.code === 'CERTIFICATE_INVALID')) throw error;
        reason = error.message;
      }
    } else if (secret) {
      reason = 'the Secret lacks a part of the certificates';
    }
    if (secret) onRepair(reason);
    try {
      await write(cluster, key, secret, await renew(current, hosts, now()));
    } catch (error) {
      // Another replica was faster: what it wrote is read in the next turn.
      if (!(error instanceof KubesentryError && error.code === 'KUBE_CONFLICT')) throw error;
    }
  }
}

/** A new serving certificate of the same authority where that is usable, of a new one otherwise. */
async function renew(
  current: Pick<Certificates, 'authority'> | undefined,
  hosts: readonly string[],
  now: number,
) {
  if (current) {
    try {
      const serving = await issueServingPair(current.authority, hosts, now);
      await checkServingPair(current.authority, serving, hosts, now);
      return { authority: current.authority, serving };
    } catch (error) {
      if (!(error instanceof KubesentryError)) throw error;
    }
  }
  const authority = await makeAuthority(now);
  return { authority, serving: await issueServingPair(authority, hosts, now) };
}

function read(secret: KubeObject): Omit<Certificates, 'notAfter'> | undefined {
  const data = (secret.data ?? {}) as Record<string, string | undefined>;
  const text = (name: string) => Buffer.from(data[name] ?? '', 'base64').toString();
  if (Object.values(DATA).some((name) => !data[name])) return undefined;
  return {
    authority: { certificate: text(DATA.caCertificate), key: text(DATA.caKey) },
    serving: { certificate: text(DATA.certificate), key: text(DATA.key) },
  };
}

async function write(
  cluster: Cluster,
  key: ObjectKey,
  existing: KubeObject | undefined,
  { authority, serving }: Omit<Certificates, 'notAfter'>,
): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const data = {
    [DATA.certificate]: base64(serving.certificate),
    [DATA.key]: base64(serving.key),
    [DATA.caCertificate]: base64(authority.certificate),
    [DATA.caKey]: base64(authority.key),
  };
  if (existing) await cluster.update(KIND.Secret, { ...existing, data });
  else {
    const metadata = { name: key.name, namespace: key.namespace as string };
    await cluster.create(KIND.Secret, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      type: 'kubernetes.io/tls',
      data,
    });
  }
}
