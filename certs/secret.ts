import { KubesentryError } from '../api/errors.ts';
import type { KubeObject } from '../api/object.ts';
import type { Cluster, ObjectKey } from '../kube/cluster.ts';
import { KIND } from '../kube/kind.ts';
import { checkServingPair, splitBundle } from './pair.ts';
import { type Certificates, nextCertificates } from './renewal.ts';

/** Keys of the Secret's data; the first two are those of kubernetes.io/tls. The newest authority is first in ca.crt. */
const DATA = { certificate: 'tls.crt', key: 'tls.key', caBundle: 'ca.crt', caKey: 'ca.key' } as const;

/** Each time that another replica was faster, there is something new to read; that ends. */
const ATTEMPTS = 10;

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
  for (let attempt = 1; ; attempt++) {
    const secret = await cluster.get(KIND.Secret, key);
    const current = secret && read(secret);
    const { certificates, reason } = await nextCertificates(current, hosts, now());
    if (reason === undefined) return certificates;
    if (secret) onRepair(reason);
    try {
      await write(cluster, key, secret, certificates);
      return certificates;
    } catch (error) {
      // Another replica was faster: what it wrote is read in the next turn.
      const isConflict = error instanceof KubesentryError && error.code === 'KUBE_CONFLICT';
      if (!isConflict || attempt === ATTEMPTS) throw error;
    }
  }
}

/**
 * The certificates in the Secret `key` as they are. Raises CERTIFICATE_INVALID with the reason when there are none, or
 * nobody could serve with them.
 */
export async function readCertificates(
  cluster: Cluster,
  key: ObjectKey,
  hosts: readonly string[],
  now = Date.now(),
): Promise<Certificates> {
  const secret = await cluster.get(KIND.Secret, key);
  if (!secret) throw new KubesentryError('CERTIFICATE_INVALID', `There is no Secret ${key.name}.`);
  const certificates = read(secret);
  checkServingPair(certificates.caBundle, certificates.serving, hosts, now);
  return certificates;
}

/** Of a Secret that lacks a part, the rest: clients go on trusting what they know of it. */
function read(secret: KubeObject): Certificates {
  const data = (secret.data ?? {}) as Record<string, string | undefined>;
  const text = (name: string) => Buffer.from(data[name] ?? '', 'base64').toString();
  const caBundle = text(DATA.caBundle);
  return {
    authority: { certificate: splitBundle(caBundle)[0] ?? '', key: text(DATA.caKey) },
    caBundle,
    serving: { certificate: text(DATA.certificate), key: text(DATA.key) },
  };
}

async function write(
  cluster: Cluster,
  key: ObjectKey,
  existing: KubeObject | undefined,
  { authority, caBundle, serving }: Certificates,
): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const data = {
    [DATA.certificate]: base64(serving.certificate),
    [DATA.key]: base64(serving.key),
    [DATA.caBundle]: base64(caBundle),
    [DATA.caKey]: base64(authority.key),
  };
  if (existing) {
    await cluster.update(KIND.Secret, { ...existing, data });
    return;
  }
  const metadata = { name: key.name, namespace: key.namespace as string };
  await cluster.create(KIND.Secret, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    type: 'kubernetes.io/tls',
    data,
  });
}
