const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATORS = [0x98f2bc8e61n, 0x79b76d99e2n, 0xf33e5fb3c4n, 0xae2eabe2a8n, 0x1e4f43e470n];

/**
 * Whether `prefix:payload` has a valid CashAddr checksum, a 40-bit BCH code over prefix and payload
 * (Bitcoin Cash spec "cashaddr"). Kaspa, Karlsen, Pyrin and Nexa use it with their own prefixes.
 */
export function isCashAddr(prefix: string, payload: string): boolean {
  if (payload.length < 42 || payload.length > 120) return false;
  const values = [...prefix].map((letter) => letter.charCodeAt(0) & 31);
  values.push(0);
  for (const letter of payload) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) return false;
    values.push(value);
  }
  let checksum = 1n;
  for (const value of values) {
    const top = checksum >> 35n;
    checksum = ((checksum & 0x07ffffffffn) << 5n) ^ BigInt(value);
    for (const [bit, generator] of GENERATORS.entries()) {
      if ((top >> BigInt(bit)) & 1n) checksum ^= generator;
    }
  }
  return checksum === 1n;
}
