import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An IP range in CIDR notation, on one port or on all. */
export interface AddressRange {
  cidr: string;
  port?: number;
}

interface Family {
  first: bigint[];
  last: bigint[];
  ports: (ReadonlySet<number> | undefined)[];
}

/**
 * Reads `1.2.3.4`, `1.2.3.0/24`, `1.2.3.4:3333`, `2001:db8::/32` or `[2001:db8::1]:3333`.
 * Undefined when it is none of these.
 */
export function parseAddressRange(text: string): AddressRange | undefined {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text);
  const plain = /^([\d.]+(?:\/\d{1,2})?)(?::(\d{1,5}))?$/.exec(text);
  const [, address, portText] = bracketed ?? plain ?? [undefined, text, undefined];
  const port = portText === undefined ? undefined : Number(portText);
  if (address === undefined || (port !== undefined && (port < 1 || port > 65_535))) return undefined;
  const [plainAddress = ''] = address.split('/', 1);
  if (isIP(plainAddress) === 0) return undefined;
  const cidr = address.includes('/') ? address : `${address}/${address.includes(':') ? 128 : 32}`;
  if (!ipaddr.isValidCIDR(cidr)) return undefined;
  return port === undefined ? { cidr } : { cidr, port };
}

/** A set of address ranges. A look-up costs a binary search, whatever the size. */
export class AddressRanges {
  readonly #v4: Family;
  readonly #v6: Family;

  constructor(ranges: readonly AddressRange[]) {
    this.#v4 = familyOf(ranges, 'ipv4');
    this.#v6 = familyOf(ranges, 'ipv6');
  }

  /** Whether `address` is in a range that covers `port`; without a port only ranges for all ports count. */
  has(address: string, port?: number): boolean {
    // ipaddr.js finds out by throwing, which costs a hundred times as much.
    const version = /^\d|:/.test(address) ? isIP(address) : 0;
    if (version === 0) return false;
    // An IPv4 address may be written within one of IPv6.
    const parsed = version === 4 ? undefined : ipaddr.process(address);
    const { first, last, ports } = parsed?.kind() === 'ipv6' ? this.#v6 : this.#v4;
    const value = numberOf(parsed?.toByteArray() ?? address.split('.').map(Number));
    let low = 0;
    let high = first.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((first[middle] as bigint) <= value) low = middle + 1;
      else high = middle;
    }
    const at = low - 1;
    if (at < 0 || (last[at] as bigint) < value) return false;
    const allowed = ports[at];
    return allowed === undefined || (port !== undefined && allowed.has(port));
  }
}

/** Cuts overlapping ranges into disjoint ones, each with the ports of all that cover it. */
function familyOf(ranges: readonly AddressRange[], kind: 'ipv4' | 'ipv6'): Family {
  const edges: { at: bigint; port: number | undefined; delta: 1 | -1 }[] = [];
  for (const { cidr, port } of ranges) {
    const [address, bits] = ipaddr.parseCIDR(cidr);
    if (address.kind() !== kind) continue;
    const width = kind === 'ipv4' ? 32n : 128n;
    const size = 1n << (width - BigInt(bits));
    const start = (numberOf(address.toByteArray()) / size) * size;
    edges.push({ at: start, port, delta: 1 }, { at: start + size, port, delta: -1 });
  }
  edges.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const family: Family = { first: [], last: [], ports: [] };
  const open = new Map<number | undefined, number>();
  for (const [index, { at, port, delta }] of edges.entries()) {
    const count = (open.get(port) ?? 0) + delta;
    if (count === 0) open.delete(port);
    else open.set(port, count);
    const next = edges[index + 1]?.at;
    if (open.size === 0 || next === undefined || next === at) continue;
    family.first.push(at);
    family.last.push(next - 1n);
    family.ports.push(open.has(undefined) ? undefined : new Set(open.keys() as Iterable<number>));
  }
  return family;
}

function numberOf(bytes: readonly number[]): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
