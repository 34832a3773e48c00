import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { KubesentryError } from '../api/errors.ts';

/** A certificate and its private key, both PEM (PKCS#8). */
export interface KeyPair {
  certificate: string;
  key: string;
}

const END = '-----END CERTIFICATE-----';

/** The certificates of a PEM bundle, each in PEM, read or not. */
export function splitBundle(bundle: string): string[] {
  const parts = bundle.split(END).slice(0, -1);
  return parts.map((part) => `${part.trim()}\n${END}\n`);
}

/** The authorities of a PEM bundle that are valid at `now`. What cannot be read proves nothing and is left out. */
export function validAuthorities(bundle: string, now: number): string[] {
  return splitBundle(bundle).filter((pem) => {
    try {
      const { ca, validToDate } = new X509Certificate(pem);
      return ca && validToDate.getTime() >= now;
    } catch {
      return false;
    }
  });
}

/**
 * Checks a certificate authority: its key belongs to it, and it is valid at `now`. Answers when it ends.
 * Raises CERTIFICATE_INVALID with the reason.
 */
export function checkAuthority(authority: KeyPair, now: number): Date {
  const certificate = parse(authority.certificate, "The authority's certificate");
  if (!certificate.ca) throw invalid("The authority's certificate may not sign others.");
  return checkPair(certificate, authority.key, 'The authority', now);
}

/**
 * Checks that `pair` was issued by one of `caBundle` (PEM), for all of `hosts`, and is valid at `now`. Answers when it
 * ends. Raises CERTIFICATE_INVALID with the reason: corrupt, foreign, expired, not yet valid, of another key, or lacking
 * a name.
 */
export function checkServingPair(
  caBundle: string,
  pair: KeyPair,
  hosts: readonly string[],
  now: number,
): Date {
  const leaf = parse(pair.certificate, 'The serving certificate');
  const isSigner = (pem: string) => leaf.verify(new X509Certificate(pem).publicKey);
  if (!validAuthorities(caBundle, now).some(isSigner)) {
    throw invalid('The serving certificate was signed by another authority.');
  }
  const notAfter = checkPair(leaf, pair.key, 'The serving certificate', now);
  const names = { subject: 'never' } as const;
  const missing = hosts.filter((host) => !(isIP(host) ? leaf.checkIP(host) : leaf.checkHost(host, names)));
  if (missing.length > 0) throw invalid(`The serving certificate lacks the names ${missing.join(', ')}.`);
  return notAfter;
}

function checkPair(certificate: X509Certificate, key: string, what: string, now: number): Date {
  const { validFromDate, validToDate } = certificate;
  if (now > validToDate.getTime()) throw invalid(`${what} expired at ${validToDate.toISOString()}.`);
  if (now < validFromDate.getTime()) {
    throw invalid(`${what} is not valid before ${validFromDate.toISOString()}.`);
  }
  if (!isKeyOf(certificate, key)) throw invalid(`${what} has another private key.`);
  return validToDate;
}

function isKeyOf(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false; // not a key at all
  }
}

function parse(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new KubesentryError('CERTIFICATE_INVALID', `${what} is no certificate.`, { cause });
  }
}

const invalid = (message: string) => new KubesentryError('CERTIFICATE_INVALID', message);
