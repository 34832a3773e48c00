import { type Indicators, nameKey } from './indicators.ts';
import { fold, tokens } from './text.ts';

/** What a name says: the known name in it, and whether the rest makes it something that only speaks of miners. */
export interface NameMatch {
  name: string;
  kind: 'miner' | 'mention' | 'word' | 'system' | 'node';
}

/** With one of these beside it the name is that of a tool about miners: xmrig-exporter, xmrig-detector. */
const ABOUT = new Set(
  (
    'exporter monitor monitoring detector detection detect blocker block guard hunter scanner scan killer kill ' +
    'cleaner cleanup remover remove rules rule dashboard stats metrics docs alert alerts honeypot prometheus grafana ' +
    'anti no stop policy deny check checker test tests blocklist defender protection watch api web ui operator ' +
    'observer explorer viewer tracker frontend calculator'
  ).split(' '),
);

/** Coins and devices that make `miner` mean mining coins. */
const COINS = new Set(
  (
    'monero xmr btc bitcoin eth ethereum etc ltc litecoin doge dogecoin zec zcash rvn ravencoin kaspa kas crypto coin ' +
    'coins cryptocurrency zephyr zeph dero verus vrsc raptoreum rtm ergo erg nicehash cpu gpu cuda opencl randomx ' +
    'cryptonight altcoin hash hashrate grin beam conflux alph alephium clore qubic tari salvium wownero xelis karlsen ' +
    'pyrin spectre iron nexa radiant stratum pool moneroocean c3pool nanopool supportxmr hashvault minexmr unmineable ' +
    'herominers'
  ).split(' '),
);

/** Pools whose names mean nothing else. */
const POOL_NAMES = new Set(
  'moneroocean c3pool nanopool supportxmr hashvault minexmr unmineable herominers minergate moneropool dwarfpool nicehash'.split(
    ' ',
  ),
);

/** Whether a word, folded, is the name of a pool and nothing else. */
export function isPoolName(word: string): boolean {
  return POOL_NAMES.has(word);
}

/** Words that make `miner` mean something else. */
const OTHER_MINING = new Set(
  (
    'data process text web log logs repo git opinion pattern event events sentiment news tweet twitter corpus social ' +
    'knowledge rule graph media seo link topic keyword bug code url task workflow document pdf image semantic argument ' +
    'review api schema feature helium lora asteroid game minecraft'
  ).split(' '),
);

const TOKEN_LIMIT = 10;

/** Patterns are rare and names may be many: only so many are tried. */
const PATTERN_LIMIT = 1000;

const SINGLE_TOKEN = /^[a-z0-9]+$/;

/** As the tags of images are. */
const NUMBERS = /^[\d.]+$/;

/** Looks for a known name as whole tokens of `segment`: one step of a path, or a comm. Never a substring. */
export function nameIn(segment: string, { nameKinds, nameHeads }: Indicators): NameMatch | undefined {
  const folded = fold(segment);
  if (folded.length < 2 || folded.length > 256) return undefined;
  if (SINGLE_TOKEN.test(folded)) {
    const kind = nameKinds.get(folded) ?? nameKinds.get(withoutVersion(folded));
    return kind && { name: folded, kind };
  }
  const whole = nameKinds.get(nameKey(folded));
  if (whole) return { name: folded, kind: whole };
  if (NUMBERS.test(folded)) return undefined;
  const parts = tokens(folded).slice(0, TOKEN_LIMIT);
  let found: NameMatch | undefined;
  for (let from = 0; from < parts.length; from++) {
    const head = parts[from] as string;
    if (!nameHeads.has(head) && !nameHeads.has(withoutVersion(head))) continue;
    let joined = '';
    for (let to = from; to < parts.length; to++) {
      joined = joined === '' ? (parts[to] as string) : `${joined}-${parts[to]}`;
      const kind = nameKinds.get(joined) ?? nameKinds.get(withoutVersion(joined));
      const starts = from === 0 && isVersion(parts.slice(to + 1));
      if (kind === 'miner' || (kind && starts)) found = { name: joined, kind };
    }
  }
  if (found?.kind === 'miner' && parts.some((part) => ABOUT.has(part)))
    return { name: found.name, kind: 'mention' };
  return found;
}

/** Versions and platforms are glued to names: xmrig6, xmrig64, xmrigv6. */
function withoutVersion(name: string): string {
  let end = name.length;
  while (end > 0 && isDigit(name.charCodeAt(end - 1))) end--;
  if (end === name.length) return name;
  return name.slice(0, name[end - 1] === 'v' ? end - 1 : end);
}

/** What is left of `geth-1.14.5-linux-amd64` behind the name. */
function isVersion(rest: readonly string[]): boolean {
  return rest.every((part) => /^v?\d|^(linux|amd64|arm64|x86|64|static|x64|bin|exe|musl|gnu|rc)/.test(part));
}

/** A name that the shell would find by a pattern such as `/usr/bin/xmri?`. */
export function nameByPattern(pattern: string, { names }: Indicators): string | undefined {
  const folded = fold(pattern);
  if (!/[?*]/.test(folded) || folded.replace(/[?*]/g, '').length < 3 || folded.length > 64) return undefined;
  return names.slice(0, PATTERN_LIMIT).find((name) => matchesGlob(name, folded));
}

function matchesGlob(name: string, pattern: string): boolean {
  let at = 0;
  let from = 0;
  let star = -1;
  let mark = 0;
  while (at < name.length) {
    if (pattern[from] === '?' || pattern[from] === name[at]) {
      at++;
      from++;
    } else if (pattern[from] === '*') {
      star = from++;
      mark = at;
    } else if (star >= 0) {
      from = star + 1;
      at = ++mark;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(from));
}

/** How much the word `miner`, or the name of a pool, in a name or in the path of a URL says: 0 to 80. */
export function minerWordScore(segment: string): number {
  const folded = fold(segment);
  if (!/min(er|ing|ea|ex)|pool|ocean|vault|xmr|hash/.test(folded)) return 0;
  const parts = tokens(folded).slice(0, TOKEN_LIMIT);
  if (parts.some((part) => POOL_NAMES.has(part)) && !parts.some((part) => ABOUT.has(part)))
    return parts.some((part) => COINS.has(part) && !POOL_NAMES.has(part)) ? 80 : 35;
  const at = parts.findIndex((part) => /^(miner|miners|mining|cryptomining)$/.test(part) || isGlued(part));
  if (at < 0 || parts.some((part) => OTHER_MINING.has(part) || ABOUT.has(part))) return 0;
  return isGlued(parts[at] as string) || parts.some((part) => COINS.has(part)) ? 80 : 35;
}

/** `xmrminer`, `btcminer`. */
function isGlued(part: string): boolean {
  return part.endsWith('miner') && COINS.has(part.slice(0, -'miner'.length));
}

const DOT = 0x2e;

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** `python3.11` is python: what /proc shows of an interpreter is the name with its version. */
export function unversioned(program: string): string {
  const last = program.charCodeAt(program.length - 1);
  if (!isDigit(last) && last !== DOT) return program;
  return program.replace(/^(python|pypy|perl|ruby|php|lua|node)[\d.]+$/, '$1');
}
