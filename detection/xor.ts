/** What commands and addresses have in them. */
const COMMAND = /\s-{1,2}\w|:\/\/|\/(?:tmp|bin|usr|dev|opt|var|etc|sbin)\b|\b(?:curl|wget|sh|bash) /;

/** Shorter bytes are text under too many keys. */
const SHORTEST = 12;
const LONGEST = 4 * 1024;

/**
 * What `bytes` (one character a byte) say when each is combined with a key by exclusive or: with the keys that are
 * given, else with the one byte that makes a command of them. Undefined when none does. A wrong key fails at its first
 * few characters, so that trying all costs little.
 */
export function xorDecoded(bytes: string, keys: readonly string[]): string | undefined {
  if (bytes.length < SHORTEST || bytes.length > LONGEST) return undefined;
  for (const key of keys) {
    const text = combined(bytes, key);
    if (text !== undefined && COMMAND.test(text)) return text;
  }
  if (COMMAND.test(bytes) && combined(bytes, '\0') !== undefined) return undefined;
  for (let key = 1; key < 256; key++) {
    const text = combined(bytes, String.fromCharCode(key));
    if (text !== undefined && COMMAND.test(text)) return text;
  }
  return undefined;
}

/** Undefined when a character is none of plain text. */
function combined(bytes: string, key: string): string | undefined {
  let text = '';
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes.charCodeAt(at) ^ key.charCodeAt(at % key.length);
    if (code > 0x7e || (code < 0x20 && code !== 0x0a && code !== 0x09 && code !== 0x0d)) return undefined;
    text += String.fromCharCode(code);
  }
  return text;
}
