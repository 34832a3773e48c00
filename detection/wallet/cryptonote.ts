import { keccak_256 } from '@noble/hashes/sha3.js';
import { base58Bytes } from './base58.ts';

/** Letters that encode 0 to 8 bytes; every block but the last is full (CryptoNote standard CNS007). */
const LETTERS = [0, 2, 3, 5, 6, 7, 9, 10, 11];
const BLOCK_BYTES = 8;
const BLOCK_LETTERS = 11;
const CHECKSUM_BYTES = 4;

/**
 * Whether `text` is an address of a CryptoNote coin: Monero, Zephyr, ArQmA, Wownero, Salvium and so on. The tag
 * in front tells them apart and is not looked at. The checksum is original Keccak-256, not SHA3-256.
 */
export function isCryptoNote(text: string): boolean {
  if (text.length < 90 || text.length > 140) return false;
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < text.length; at += BLOCK_LETTERS) {
    const letters = text.slice(at, at + BLOCK_LETTERS);
    const size = letters.length === BLOCK_LETTERS ? BLOCK_BYTES : LETTERS.indexOf(letters.length);
    const block = size < 0 ? undefined : base58Bytes(letters, size);
    if (!block) return false;
    blocks.push(block);
  }
  const bytes = Buffer.concat(blocks);
  const checksum = keccak_256(bytes.subarray(0, -CHECKSUM_BYTES)).subarray(0, CHECKSUM_BYTES);
  return bytes.subarray(-CHECKSUM_BYTES).equals(checksum);
}
