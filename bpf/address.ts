/** Addresses as the programs have them: 16 bytes, IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */

/** `1.2.3.4` for mapped IPv4, else IPv6 as RFC 5952 writes it. */
export function formatAddress(bytes: Uint8Array): string {
  const isMapped =
    bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
  if (isMapped) return bytes.subarray(12, 16).join('.');
  const groups = Array.from({ length: 8 }, (_, at) => ((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0));
  const { start, length } = longestZeroRun(groups);
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function longestZeroRun(groups: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let at = 0; at <= groups.length; at++) {
    if (groups[at] === 0) continue;
    if (at - start > best.length) best = { start, length: at - start };
    start = at + 1;
  }
  return best;
}

/** The 16 bytes of `1.2.3.4`, `2001:db8::1` or `::ffff:1.2.3.4`; undefined if it is no address. */
export function parseAddress(text: string): Uint8Array | undefined {
  const v4 = parseV4(text);
  if (v4) return mapped(v4);
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const dotted = tail && parseV4(tail[2] ?? '');
  if (tail && !dotted) return undefined;
  const hex = (high = 0, low = 0) => ((high << 8) | low).toString(16);
  const whole = tail && dotted ? `${tail[1]}${hex(dotted[0], dotted[1])}:${hex(dotted[2], dotted[3])}` : text;
  const groups = expand(whole);
  return groups && Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

function parseV4(text: string): number[] | undefined {
  const parts = text.split('.');
  const isValid =
    parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return isValid ? parts.map(Number) : undefined;
}

function mapped(v4: number[]): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set([0xff, 0xff, ...v4], 10);
  return bytes;
}

function expand(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const parsed = halves.map((half) => (half === '' ? [] : half.split(':')));
  if (parsed.flat().some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  const [head = [], rest = []] = parsed;
  const missing = 8 - head.length - rest.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  return [...head, ...Array<string>(missing).fill('0'), ...rest].map((group) => Number.parseInt(group, 16));
}
