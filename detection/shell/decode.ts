import { gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { VALUE_LIMIT } from './data.ts';

/** Bytes as text: UTF-8 when they are, else one character a byte, so that a second decoder gets them back. */
export function textOfBytes(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.includes('�') ? bytes.toString('latin1') : text;
}

function bytesOfText(text: string): Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: latin1 is what textOfBytes gives for bytes.
  return Buffer.from(text, /^[\x00-\xff]*$/.test(text) ? 'latin1' : 'utf8');
}

/** Undefined when it is not base64, white space aside. URL-safe letters are taken too. */
export function decodeBase64(text: string): string | undefined {
  const letters = text.replace(/\s+/g, '');
  if (letters.length < 4 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(letters)) return undefined;
  return textOfBytes(Buffer.from(letters, 'base64'));
}

/** RFC 4648 section 6. */
export function decodeBase32(text: string): string | undefined {
  const letters = text.replace(/[\s=]+/g, '').toUpperCase();
  if (letters.length < 8 || !/^[A-Z2-7]+$/.test(letters)) return undefined;
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const letter of letters) {
    const code = letter.charCodeAt(0);
    value = ((value << 5) | (code < 65 ? code - 24 : code - 65)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 0xff);
  }
  return textOfBytes(Buffer.from(bytes));
}

export function decodeHex(text: string): string | undefined {
  const digits = text
    .replace(/[\s:]+/g, '')
    .replaceAll('\\x', '')
    .replace(/^0x/, '');
  if (digits.length < 2 || digits.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(digits)) return undefined;
  return textOfBytes(Buffer.from(digits, 'hex'));
}

/** Deflate without a head, as PHP's gzinflate reads it. */
export function inflateBare(text: string): string | undefined {
  try {
    return textOfBytes(inflateRawSync(bytesOfText(text), { maxOutputLength: VALUE_LIMIT }));
  } catch {
    return undefined;
  }
}

/** Undefined when it is not gzip or zlib, or grows beyond 64 KiB. */
export function inflate(text: string): string | undefined {
  const bytes = bytesOfText(text);
  try {
    const options = { maxOutputLength: VALUE_LIMIT };
    return textOfBytes(bytes[0] === 0x1f ? gunzipSync(bytes, options) : inflateSync(bytes, options));
  } catch {
    return undefined;
  }
}

/** Undefined when it is not Zstandard, or grows beyond 64 KiB. */
export function unzstd(text: string): string | undefined {
  try {
    return textOfBytes(zstdDecompressSync(bytesOfText(text), { maxOutputLength: VALUE_LIMIT }));
  } catch {
    return undefined;
  }
}
