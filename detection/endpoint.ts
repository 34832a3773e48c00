import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { fold } from './text.ts';
import { isMeantAsWallet } from './wallet/wallet.ts';

/** An address that a program is told to connect to: `[scheme://][user@]host[:port][/path]`. */
export interface Endpoint {
  /** Folded, without `://`; empty when there is none. */
  scheme: string;
  user: string;
  /** Folded, without brackets. */
  host: string;
  port: number | undefined;
  path: string;
}

const FORM =
  /^(?:([a-z][a-z0-9+.-]{0,30}):\/\/)?(?:([^@/\s]{0,300})@)?(\[[0-9a-f:.]{2,45}\]|[a-z0-9_][a-z0-9_.-]{0,252}|\*)?(?::(\d{1,5}))?(\/\S{0,2000}|[?#]\S{0,2000})?$/;

/** Schemes of the stratum protocol, as pools and miners write them: stratum+tcp, stratum2+ssl, ethproxy+tcp, … */
const STRATUM = /^(stratums?|ethproxy|eth-proxy|ethstratum|nicehash|daemon\+)[0-9]?(\+[a-z0-9+]{1,20})?$/;

/** What miners read of an address by the scheme of a pool: strtol(3) stops behind the digits of the port. */
const POOL_FORM =
  /^([a-z][a-z0-9+.-]{0,30}):\/\/(?:([^@/\s]{0,300})@)?([a-z0-9_][a-z0-9_.-]{0,252})(?::[\s+]{0,8}(\d{1,5}))?/;
const POOL_FORM_LENGTH = 700;

/** Undefined when `text` has no such form. Behind the scheme of a pool anything may follow the address. */
export function parseEndpoint(text: string): Endpoint | undefined {
  return parseWhole(text) ?? parsePool(text);
}

function parsePool(text: string): Endpoint | undefined {
  if (!text.includes('://')) return undefined;
  const parts = POOL_FORM.exec(fold(text.trimStart().slice(0, POOL_FORM_LENGTH)));
  if (!parts) return undefined;
  const [, scheme = '', user = '', host = '', port] = parts;
  const endpoint = { scheme, user, host, port: port === undefined ? undefined : Number(port), path: '' };
  return isStratum(endpoint) ? endpoint : undefined;
}

function parseWhole(text: string): Endpoint | undefined {
  if (text.length > 2600) return undefined;
  const folded = fold(text.trim());
  // Most words of a command are no more than that.
  if (/^[a-z0-9_][a-z0-9_-]{0,252}$/.test(folded))
    return { scheme: '', user: '', host: folded, port: undefined, path: '' };
  const parts = FORM.exec(folded);
  if (!parts) return undefined;
  const [, scheme = '', user = '', host = '', port, path = ''] = parts;
  if (host === '' && (scheme === '' || port === undefined)) return undefined;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return undefined;
  // The user may be a wallet, whose case counts.
  const at = user === '' ? -1 : text.indexOf('@');
  return {
    scheme,
    user: at < 0 ? user : text.slice(text.indexOf('://') < 0 ? 0 : text.indexOf('://') + 3, at),
    host: host.replace(/^\[|\]$/g, ''),
    port: port === undefined ? undefined : Number(port),
    path,
  };
}

export function isStratum({ scheme }: Endpoint): boolean {
  return STRATUM.test(scheme);
}

export function isWeb({ scheme }: Endpoint): boolean {
  return scheme === 'http' || scheme === 'https' || scheme === 'ws' || scheme === 'wss';
}

/** Who is paid, where a pool by websocket has that at the end of its path: `wss://HOST/ws/WALLET`. */
export function paidInPath(text: string, { scheme }: Endpoint): boolean {
  return /^wss?$/.test(scheme) && isMeantAsWallet(text.slice(text.lastIndexOf('/') + 1));
}

/** An address that listens rather than one to connect to. */
export function isWildcard({ host }: Endpoint): boolean {
  return host === '0.0.0.0' || host === '::' || host === '*' || host === '';
}

/** RFC 5737 */
const DOCUMENTATION = /^(192\.0\.2|198\.51\.100|203\.0\.113)\./;

/** A literal address that belongs to no private or local range. Those of documentation stand for public ones. */
export function isPublicAddress(host: string): boolean {
  // Droppers write addresses in decimal or hexadecimal too; inet_aton(3) takes them.
  const dotted = /^(0x[0-9a-f]{1,8}|\d{6,10})$/.test(host) ? ipv4Of(Number(host)) : host;
  return isIP(dotted) !== 0 && (ipaddr.process(dotted).range() === 'unicast' || DOCUMENTATION.test(dotted));
}

function ipv4Of(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
