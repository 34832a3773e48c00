import { X509Certificate } from 'node:crypto';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { type Finding, ifAllowed, ok, unjudged, wrong } from './status-check.ts';

const KEY = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook-tls' };

/** It is renewed a month before its end; later than this something keeps that from happening. */
const LATE_DAYS = 14;

const DAY_MS = 86_400_000;

/** Of the webhook, where one may look: most people may read no Secrets, and that is nothing wrong. */
export async function servingCertificate(cluster: Cluster): Promise<Finding> {
  const secret = await ifAllowed(cluster.get(KIND.Secret, KEY));
  if (secret === 'not allowed') return unjudged('not seen', `you may not read the Secret ${KEY.name}`);
  if (!secret)
    return unjudged('absent', `no Secret ${KEY.name}: it comes from elsewhere, or the webhook never started`);
  const text = (secret as { data?: Record<string, string> }).data?.['tls.crt'] ?? '';
  let end: Date;
  try {
    end = new X509Certificate(Buffer.from(text, 'base64')).validToDate;
  } catch {
    return wrong(`the Secret ${KEY.name} holds no certificate: delete it, the webhook makes a new one`);
  }
  const days = Math.floor((end.getTime() - Date.now()) / DAY_MS);
  const until = end.toISOString().slice(0, 10);
  if (days < 0)
    return wrong(`it ended on ${until}: delete the Secret ${KEY.name}, the webhook makes a new one`);
  return days < LATE_DAYS
    ? wrong(`it ends on ${until} and was not renewed: the log of the webhook says why`)
    : ok(`valid until ${until}`);
}
