import { keccak_256 } from '@noble/hashes/sha3.js';

/**
 * Whether the case of `0x` and 40 hexadecimal digits is the checksum of EIP-55. Written in one case an address
 * carries no checksum: 'plain'.
 */
export function ethereumAddress(text: string): 'checked' | 'plain' | undefined {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) return undefined;
  const digits = text.slice(2);
  const lower = digits.toLowerCase();
  if (digits === lower || digits === digits.toUpperCase()) return 'plain';
  const hash = Buffer.from(keccak_256(Buffer.from(lower))).toString('hex');
  for (let at = 0; at < 40; at++) {
    const digit = lower[at] as string;
    const upper = Number.parseInt(hash[at] as string, 16) >= 8;
    if (digits[at] !== (upper ? digit.toUpperCase() : digit)) return undefined;
  }
  return 'checked';
}
