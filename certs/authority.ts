import 'reflect-metadata'; // @peculiar/x509 needs it first
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { KubesentryError } from '../api/errors.ts';

cryptoProvider.set(webcrypto as unknown as typeof crypto);

/** A certificate and its private key, both PEM (PKCS#8). */
export interface KeyPair {
  certificate: string;
  key: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

/** Clocks of nodes differ; a certificate is valid from a little before it was made. */
const SKEW_MS = 5 * 60_000;

export const LIFETIME_DAYS = { authority: 3650, serving: 90 } as const;

/** Makes a certificate authority of our own (ECDSA P-256), valid ten years. */
export async function makeAuthority(now = Date.now()): Promise<KeyPair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=kubesentry-ca',
    ...validity(now, LIFETIME_DAYS.authority),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), key: await exportKey(keys.privateKey) };
}

/** Issues a serving certificate for DNS names and IP addresses, valid 90 days. */
export async function issueServingPair(
  authority: KeyPair,
  hosts: readonly string[],
  now = Date.now(),
): Promise<KeyPair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const names: JsonGeneralName[] = hosts.map((host) => ({ type: isIP(host) ? 'ip' : 'dns', value: host }));
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=kubesentry-webhook',
    issuer: new X509Certificate(authority.certificate).subject,
    ...validity(now, LIFETIME_DAYS.serving),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(names),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), key: await exportKey(keys.privateKey) };
}

/**
 * Checks that `pair` is what `authority` issued, for all of `hosts`, and valid at `now`.
 * Raises CERTIFICATE_INVALID with the reason: corrupt, foreign, expired, not yet valid, or lacking a name.
 */
export async function checkServingPair(
  authority: KeyPair,
  pair: KeyPair,
  hosts: readonly string[],
  now = Date.now(),
): Promise<{ notAfter: Date }> {
  const leaf = parse(pair.certificate, 'The serving certificate');
  const ca = parse(authority.certificate, "The authority's certificate");
  if (!(await leaf.verify({ publicKey: ca.publicKey, signatureOnly: true }))) {
    throw invalid('The serving certificate was signed by another authority.');
  }
  if (now > leaf.notAfter.getTime())
    throw invalid(`The serving certificate expired at ${leaf.notAfter.toISOString()}.`);
  if (now < leaf.notBefore.getTime()) {
    throw invalid(`The serving certificate is not valid before ${leaf.notBefore.toISOString()}.`);
  }
  const names =
    leaf
      .getExtension(SubjectAlternativeNameExtension)
      ?.names.toJSON()
      .map(({ value }) => value) ?? [];
  const missing = hosts.filter((host) => !names.includes(host));
  if (missing.length > 0) throw invalid(`The serving certificate lacks the names ${missing.join(', ')}.`);
  return { notAfter: leaf.notAfter };
}

function parse(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new KubesentryError('CERTIFICATE_INVALID', `${what} is no certificate.`, { cause });
  }
}

const invalid = (message: string) => new KubesentryError('CERTIFICATE_INVALID', message);

function validity(now: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - SKEW_MS), notAfter: new Date(now + days * DAY_MS) };
}

/** Positive and of 16 octets at most (RFC 5280, 4.1.2.2 allows 20). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] as number) & 0x7f;
  return bytes.toString('hex');
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[A-Z ]+-----/g, ''), 'base64');
  try {
    return await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
  } catch (cause) {
    throw new KubesentryError('CERTIFICATE_INVALID', "The authority's key is no private key.", { cause });
  }
}
