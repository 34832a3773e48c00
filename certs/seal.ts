import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  FlattenedSign,
  flattenedVerify,
  type JSONWebKeySet,
} from 'jose';
import { KubesentryError } from '../api/errors.ts';
import type { Report, SignedReport } from '../api/report.ts';
import { canonical } from './canonical.ts';

export const ALGORITHM = 'ES256';

/** Tells our signatures from those of other tokens under the same key, if ever there were any. */
const TYPE = 'kubesentry-report+json';

/** Signs what the report says; how its JSON is formatted does not matter. */
export async function seal(
  report: Report,
  key: { id: string; privateKey: CryptoKey },
): Promise<SignedReport> {
  const { protected: header = '', signature } = await new FlattenedSign(bytesOf(report))
    .setProtectedHeader({ alg: ALGORITHM, kid: key.id, typ: TYPE })
    .sign(key.privateKey);
  return { ...report, signature: { protected: header, signature } };
}

/**
 * Whether one of `keys` signed it, and which. Raises REPORT_UNSIGNED without a signature, and REPORT_FORGED when it
 * was changed or somebody else signed it.
 */
export async function verifySeal(
  signed: unknown,
  keys: JSONWebKeySet,
): Promise<{ report: Report; keyId: string }> {
  const { signature: mark, ...report } = (signed ?? {}) as Partial<SignedReport>;
  if (typeof mark?.protected !== 'string' || typeof mark.signature !== 'string') {
    throw new KubesentryError('REPORT_UNSIGNED', 'The file is no signed report.');
  }
  // The last letter has bits that decoding drops: another letter there would be the same signature.
  if (Buffer.from(mark.signature, 'base64url').toString('base64url') !== mark.signature) {
    throw forged('its signature is not written as it was made');
  }
  try {
    const { protectedHeader } = await flattenedVerify(
      {
        protected: mark.protected,
        signature: mark.signature,
        payload: Buffer.from(bytesOf(report)).toString('base64url'),
      },
      createLocalJWKSet(keys),
      { algorithms: [ALGORITHM] },
    );
    if (protectedHeader?.typ !== TYPE) throw forged('what was signed is no report');
    return { report: report as Report, keyId: protectedHeader.kid ?? '' };
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) throw forged('none of the keys of this cluster signed it');
    if (error instanceof errors.JOSEError) throw forged('it is not what was signed');
    throw error;
  }
}

function bytesOf(report: object): Uint8Array {
  return new TextEncoder().encode(canonical(JSON.parse(JSON.stringify(report))));
}

function forged(why: string): KubesentryError {
  return new KubesentryError('REPORT_FORGED', `The report cannot be trusted: ${why}.`);
}
