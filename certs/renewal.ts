import { KubesentryError } from '../api/errors.ts';
import { issueServingPair, LIFETIME_DAYS, makeAuthority } from './authority.ts';
import { checkAuthority, checkServingPair, type KeyPair, validAuthorities } from './pair.ts';

/** Everything that a webhook needs to prove who it is. */
export interface Certificates {
  /** Signs what comes next. */
  authority: KeyPair;
  /** PEM of every authority that clients are to trust, the newest first. */
  caBundle: string;
  serving: KeyPair;
}

const DAY_MS = 86_400_000;

/** A new serving certificate is due when less than a third of its life is left. */
const SERVING_MS = (LIFETIME_DAYS.serving / 3) * DAY_MS;

/** A new authority is due while the old one still outlives whatever it signed. */
const AUTHORITY_MS = 2 * LIFETIME_DAYS.serving * DAY_MS;

/** How many authorities clients are asked to trust at the same time. */
const MOST_TRUSTED = 3;

/**
 * What is to follow `current`, with the reason; `current` itself, without one, while everything is good.
 *
 * A new authority is first only trusted, beside the old ones; it signs from the next renewal of the serving certificate
 * on. So every client knows an authority before it meets what that signed, and no connection fails for the change.
 * Only a serving certificate that is of no use at all is replaced at once.
 */
export async function nextCertificates(
  current: Certificates | undefined,
  hosts: readonly string[],
  now: number,
): Promise<{ certificates: Certificates; reason?: string }> {
  if (!current) {
    return { certificates: await makeCertificates([], hosts, now), reason: 'there is no certificate yet' };
  }
  const { authority: signer, caBundle, serving: pair } = current;
  const authority = judge('the authority', now + AUTHORITY_MS, () => checkAuthority(signer, now));
  const serving = judge('the serving certificate', now + SERVING_MS, () =>
    checkServingPair(caBundle, pair, hosts, now),
  );
  if (authority.reason === undefined) {
    if (serving.reason === undefined) return { certificates: current };
    const issued = await issueServingPair(signer, hosts, now);
    return { certificates: { ...current, serving: issued }, reason: serving.reason };
  }
  const renewed = await makeCertificates(validAuthorities(caBundle, now), hosts, now);
  const certificates = serving.isUsable ? { ...renewed, serving: pair } : renewed;
  return { certificates, reason: authority.reason };
}

interface Judgement {
  isUsable: boolean;
  /** Why it is to be replaced, if it is. */
  reason?: string;
}

function judge(what: string, due: number, check: () => Date): Judgement {
  try {
    const notAfter = check();
    if (notAfter.getTime() > due) return { isUsable: true };
    return { isUsable: true, reason: `${what} ends at ${notAfter.toISOString()}` };
  } catch (error) {
    if (!(error instanceof KubesentryError && error.code === 'CERTIFICATE_INVALID')) throw error;
    return { isUsable: false, reason: error.message };
  }
}

async function makeCertificates(
  older: readonly string[],
  hosts: readonly string[],
  now: number,
): Promise<Certificates> {
  const authority = await makeAuthority(now);
  const caBundle = [authority.certificate, ...older].slice(0, MOST_TRUSTED).join('');
  return { authority, caBundle, serving: await issueServingPair(authority, hosts, now) };
}
