import { sha256 } from '@noble/hashes/sha2.js';
import { base58Bytes } from './base58.ts';

/** Version bytes before the 20-byte hash (chainparams of each coin). */
const VERSIONS: Record<number, string> = {
  0: 'bitcoin',
  5: 'bitcoin',
  16: 'dash',
  22: 'dogecoin',
  30: 'dogecoin',
  48: 'litecoin',
  50: 'litecoin',
  60: 'ravencoin',
  76: 'dash',
  102: 'verus',
  122: 'ravencoin',
};

/** The coin whose base58check address `text` is; `base58check` when the version is none that we know. */
export function base58CheckCoin(text: string): string | undefined {
  if (text.length < 26 || text.length > 36) return undefined;
  // Zcash has two version bytes.
  for (const size of text.startsWith('t') ? [26] : [25]) {
    const bytes = base58Bytes(text, size);
    if (!bytes) continue;
    const checksum = sha256(sha256(bytes.subarray(0, -4)));
    if (!bytes.subarray(-4).every((byte, at) => byte === checksum[at])) continue;
    return size === 26 ? 'zcash' : (VERSIONS[bytes[0] as number] ?? 'base58check');
  }
  return undefined;
}
