import { isMiningPort } from './destination.ts';
import { type Endpoint, isStratum, isWildcard, paidInPath, parseEndpoint } from './endpoint.ts';
import { hasDomain, type Indicators } from './indicators.ts';
import { longOption } from './option-grammar.ts';
import type { OptionRole } from './rows.ts';
import { fold, UNKNOWN } from './text.ts';
import { isMeantAsWallet, type Wallet, walletOf } from './wallet/wallet.ts';

/** One argument, and where it stands. */
export interface Word {
  text: string;
  path: string;
}

/** What the arguments of one command say, read as a miner would read them. */
export interface ArgumentFacts {
  endpoints: {
    endpoint: Endpoint;
    word: Word;
    role: OptionRole | undefined;
    /** The option that it is the value of. */
    option: string;
    peer: boolean;
    known: boolean;
    /** Whether the next word is its port, where both stand without an option. */
    hasPortApart?: boolean;
  }[];
  wallets: { wallet: Wallet; word: Word; role: OptionRole | undefined }[];
  /** Options that only miners have, by name. */
  marks: Map<string, Word>;
  algorithm: { name: string; common: boolean; word: Word; option: string } | undefined;
  port: number | undefined;
  user: string | undefined;
  /** The value of an option for a wallet, whether or not it is one. */
  payee: string | undefined;
  /** What has the form of a wallet; its checksum may be wrong. */
  meant: Word | undefined;
  password: string | undefined;
  /** The option for a pool, whatever its value is; only run time may know it. */
  pooled: Word | undefined;
}

/** A node is told about its peers; that is no destination for shares. */
const PEER_OPTION = /peer|seed|node|daemon|rpc|listen|bind|zmq|block|deny|allow|ignore|exclude|filter|match/;

/** Reads long options with unique prefixes and `=`, short ones with glued values, and bare words. */
export function readArguments(words: readonly Word[], indicators: Indicators): ArgumentFacts {
  const facts: ArgumentFacts = {
    endpoints: [],
    wallets: [],
    marks: new Map(),
    algorithm: undefined,
    port: undefined,
    user: undefined,
    payee: undefined,
    meant: undefined,
    password: undefined,
    pooled: undefined,
  };
  // An option of one letter whose value nobody knows: `-A ethash`.
  let letter = '';
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as Word;
    const text = word.text;
    const option = optionOf(text, indicators);
    if (!option) {
      readValue(facts, indicators, word, text, undefined, '', letter);
      const last = facts.endpoints.at(-1);
      // `HOST PORT`
      if (last?.word === word && last.known) last.hasPortApart = /^\d{2,5}$/.test(words[at + 1]?.text ?? '');
      letter = '';
      continue;
    }
    const { name, role, glued } = option;
    letter = role === undefined && glued === undefined && name.length === 1 ? name : '';
    if (role === 'mark') facts.marks.set(name, word);
    const next = words[at + 1];
    if (glued !== undefined) readValue(facts, indicators, word, glued, role, name);
    else if (
      role !== undefined &&
      role !== 'mark' &&
      role !== 'value' &&
      next &&
      !/^--?[A-Za-z]/.test(next.text)
    ) {
      readValue(facts, indicators, next, next.text, role, name);
      at++;
    } else if (next && (role === undefined || role === 'value') && PEER_OPTION.test(name)) {
      readValue(facts, indicators, next, next.text, undefined, name);
      at++;
    }
  }
  return facts;
}

interface Option {
  name: string;
  role: OptionRole | undefined;
  glued: string | undefined;
}

function optionOf(text: string, { options }: Indicators): Option | undefined {
  if (text.length < 2 || text.length > 4096) return undefined;
  const folded = text.charCodeAt(0) === 45 ? text : fold(text.slice(0, 64));
  if (folded.charCodeAt(0) !== 45) return undefined;
  const shown = folded === text ? text : fold(text);
  const equals = shown.indexOf('=');
  const glued = equals < 0 ? undefined : text.slice(text.indexOf('=') + 1);
  if (shown.startsWith('--')) {
    const written = shown.slice(2, equals < 0 ? undefined : equals);
    const found = longOption(options, written) ?? longOption(options, fold(written));
    return { name: found?.name ?? written, role: found?.role, glued };
  }
  const single = shown.slice(1, equals < 0 ? undefined : equals);
  const role = options.single.get(single) ?? (single.length > 2 ? options.long.get(single) : undefined);
  if (role !== undefined) return { name: single, role, glued };
  const letter = shown[1] as string;
  const short = options.short.get(letter);
  if (short === undefined) return { name: single, role: undefined, glued };
  const rest = shown.slice(2).replace(/^=/, '');
  // A flag without a value may lead a cluster: `-Bo pool:3333` is -B -o.
  if (short === 'value' && rest !== '') {
    const last = options.short.get(rest[0] as string);
    if (last === 'pool' || last === 'user')
      return { name: rest, role: last, glued: rest.slice(1) || undefined };
  }
  return { name: letter, role: short, glued: rest === '' ? undefined : rest };
}

/** Several pools, wallets or algorithms stand in one value; SRBMiner parts them with ! and ;. */
const LIST = /[!;,]/;

/** More of them are not read. */
const LIST_LIMIT = 8;

/** `TCP:HOST:PORT` of socat, and `[1]HOST:PORT` where a miner has several. */
function addressOf(text: string): Endpoint | undefined {
  const [, address] = /^(?:(?:tcp|openssl|ssl)[46]?(?:-connect)?:|\[\d\])([^,]+)/i.exec(text) ?? [];
  return address === undefined ? undefined : parseEndpoint(address);
}

/** A pool by its scheme whose host only run time knows, or a part of it. */
function unknownHost(value: string): Endpoint | undefined {
  const endpoint = value.includes(UNKNOWN) ? parseEndpoint(value.replaceAll(UNKNOWN, 'x')) : undefined;
  return endpoint && isStratum(endpoint) ? endpoint : undefined;
}

/** An algorithm or a coin as the protocol: kawpow+tcp, beam+ssl. */
const MINED_SCHEME = /^([a-z0-9_-]+)\+(?:tcp|ssl|tls|ws|wss)$/;

function readValue(
  facts: ArgumentFacts,
  indicators: Indicators,
  word: Word,
  value: string,
  role: OptionRole | undefined,
  name: string,
  letter = '',
): void {
  const known = value.includes(UNKNOWN) ? value.replaceAll(UNKNOWN, '') : value;
  const whole = [known];
  const several = LIST.test(known) ? known.split(LIST, LIST_LIMIT) : whole;
  if (role === 'algorithm' || role === 'value' || role === undefined) {
    for (const algorithm of role === 'algorithm' && known.includes('+') ? known.split('+', 4) : several) {
      const common = indicators.algorithms.get(fold(algorithm));
      if (common === undefined || (role !== 'algorithm' && (common || (name === '' && letter === ''))))
        continue;
      facts.algorithm ??= { name: algorithm, common, word, option: name };
    }
  }
  if (role === 'user' || role === 'wallet' || role === 'login' || role === 'worker') facts.user ??= known;
  if (role === 'wallet' && !/^[./~]/.test(known)) facts.payee ??= known;
  if (isMeantAsWallet(known)) facts.meant ??= word;
  if (role === 'password') facts.password ??= known;
  if (role === 'pool') facts.pooled ??= word;
  if (role === 'port' && /^\d{1,5}$/.test(known)) facts.port = Number(known);
  for (const part of role === undefined ? whole : several) {
    const wallet = walletOf(part);
    if (wallet) facts.wallets.push({ wallet, word, role });
  }
  for (const part of role === 'pool' ? several : whole) {
    const read = parseEndpoint(part) ?? addressOf(part);
    const endpoint = (read && !isWildcard(read) ? undefined : unknownHost(value)) ?? read;
    if (!endpoint) continue;
    const [, mined] = endpoint.scheme === '' ? [] : (MINED_SCHEME.exec(endpoint.scheme) ?? []);
    const isPaid = endpoint.user !== '' && indicators.algorithms.get(endpoint.scheme) === false;
    if (isPaid || (mined !== undefined && indicators.algorithms.has(mined))) endpoint.scheme = 'stratum+tcp';
    if (role === 'password' && !isStratum(endpoint)) continue;
    const peer = (role === undefined || role === 'value') && PEER_OPTION.test(name);
    facts.endpoints.push({
      endpoint,
      word,
      role,
      option: name,
      peer,
      known: hasDomain(indicators.pools, endpoint.host),
    });
    if (role === 'pool' && paidInPath(part, endpoint)) facts.meant ??= word;
    const inside = endpoint.user === '' ? undefined : walletOf(endpoint.user);
    if (inside) facts.wallets.push({ wallet: inside, word, role: 'wallet' });
  }
}

/** Ports on which ledgers answer wallets and explorers, over HTTP with or without its scheme. */
const LEDGER_PORTS: ReadonlySet<number> = new Set([8545, 8546, 8551]);

/** Schemes of databases, brokers and their kin are none of these. */
const PLAIN_SCHEME = /^(?:tcps?|ssl|tls|sockets?|.*\+.*)$/;

/** Whether an endpoint has the shape of a pool: a port, no scheme of something else, and nothing of a web page. */
export function isPoolShaped(endpoint: Endpoint, port = endpoint.port): boolean {
  return (
    port !== undefined &&
    !LEDGER_PORTS.has(port) &&
    (endpoint.scheme === '' || PLAIN_SCHEME.test(endpoint.scheme) || isStratum(endpoint)) &&
    endpoint.path.length <= 1 &&
    !isWildcard(endpoint)
  );
}

export function hasMiningPort({ port }: Endpoint): boolean {
  return port !== undefined && isMiningPort(port);
}
