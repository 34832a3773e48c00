import { isPoolShaped } from './arguments.ts';
import type { Docket } from './docket.ts';
import { isStratum, isWildcard, paidInPath, parseEndpoint } from './endpoint.ts';
import { hasDomain } from './indicators.ts';
import { fold } from './text.ts';
import { isMeantAsWallet, walletOf } from './wallet/wallet.ts';

/** Keys of xmrig's config.json that are no options of its command line, and of nanominer, xmr-stak and others. */
const MARKS = new Set(
  (
    'donate-level donate-over-proxy randomx rig-id rigname nicehash self-select huge-pages-jit argon2-impl cn/0 rx ' +
    'rx/0 rx/wow cn-lite/0 cn-heavy/0 wrmsr rdmsr cache_qos init-avx2 scratchpad_prefetch_mode 1gb-pages astrobwt-avx2 ' +
    'pool_address wallet_address rig_id pool_password use_nicehash use_tls_pool pool_weight tls_fingerprint ' +
    'submit-to-origin pause-on-battery spend-secret-key daemon-poll-interval max-threads-hint health-print-time'
  ).split(' '),
);

/** Keys of xmrig's config.json that others have too; two of them beside a pool and somebody to pay are its own. */
const COMPANY = new Set(
  'autosave opencl cuda huge-pages print-time retry-pause memory-pool asm pause-on-active'.split(' '),
);

/** Commands of NiceHash's excavator, as its file of them has them. */
const EXCAVATOR = /"method"\s*:\s*"(?:algorithm|worker)\.add"/;

/**
 * Looks for the configuration of a miner in JSON (comments and all), YAML, TOML or INI: the pairs of key and
 * value are enough, whatever stands between them. Linear; the API server bounds the text to 1.5 MiB.
 * `isNamed`: the file has the name of a miner.
 */
export function judgeMinerConfig(text: string, path: string, docket: Docket, isNamed = false): void {
  if (text.length < 16) return;
  const facts = readPairs(text, docket);
  const { pool, payee, wallet, algorithm, coin, marks } = facts;
  const report = (message: string, evidence: string, score = 100) =>
    docket.report('miner-config', path, message, evidence, score);
  if (pool?.sure && (payee || algorithm || marks.size > 0))
    report(`It sends shares to ${pool.host}.`, pool.host);
  else if (pool && (wallet || (payee && (algorithm || marks.size > 0))))
    report(`It sends shares to ${pool.host}.`, pool.host);
  else if (pool && payee && coin && /["']?\bpools["']?\s*[:=]/i.test(text))
    report(`It mines ${coin} at ${pool.host}.`, pool.host, 90);
  else if (pool && payee && facts.company.size > 1)
    report(`It has the settings ${[...facts.company].slice(0, 2).join(', ')} and a pool.`, pool.host, 90);
  else if (isNamed && pool && payee) report(`It is called as a miner and names ${pool.host}.`, pool.host, 90);
  else if (marks.size >= 3)
    report(`It has the settings ${[...marks].slice(0, 3).join(', ')}.`, [...marks][0] as string);
  else if (algorithm && wallet) report(`It mines ${algorithm} for a wallet.`, algorithm);
  else if (EXCAVATOR.test(text)) report('It is a file of commands for a miner.', 'algorithm.add', 90);
  else if (marks.size === 2)
    report(`It has the settings ${[...marks].join(', ')}.`, [...marks][0] as string, 60);
}

interface ConfigFacts {
  pool: { host: string; sure: boolean } | undefined;
  payee: boolean;
  wallet: boolean;
  algorithm: string | undefined;
  /** An algorithm or a coin whose name means something else as well, or a coin that others know too. */
  coin: string | undefined;
  marks: Set<string>;
  /** Keys of COMPANY. */
  company: Set<string>;
}

function readPairs(text: string, { indicators }: Docket): ConfigFacts {
  const facts: ConfigFacts = {
    pool: undefined,
    payee: false,
    wallet: false,
    algorithm: undefined,
    coin: undefined,
    marks: new Set(),
    company: new Set(),
  };
  for (const [, key = '', quoted, bare] of text.matchAll(
    /["']?([A-Za-z0-9_/.-]{1,48})["']?\s*[:=]\s*\[?\s*(?:["']([^"'\n]{0,512})["']|([^\s"',}\]{[][^\s"',}\]]{0,512}))?/g,
  )) {
    const whole = fold(key);
    if (MARKS.has(whole)) facts.marks.add(whole);
    else if (COMPANY.has(whole)) facts.company.add(whole);
    // mining.pool.url of properties.
    const name = whole.slice(whole.lastIndexOf('.') + 1);
    const plain = quoted ?? bare ?? '';
    if (plain === '') continue;
    if (/^(algo|algorithm|coin|currency|algo\d)$/.test(name)) {
      const common = indicators.algorithms.get(fold(plain));
      if (common === false) facts.algorithm ??= plain;
      else if (common) facts.coin ??= plain;
    } else if (
      /^(user|username|\w*_login|wallet\d?|wallet_address|login|address|account|userpass|wal|mining-address|qubicaddress|accesstoken)$/.test(
        name,
      )
    ) {
      facts.payee = true;
      if (walletOf(plain) || isMeantAsWallet(plain)) facts.wallet = true;
    }
    if (!/^(url|uri|host|hostname|server|address|endpoint|pool.*|.*pool|.*stratum.*)$/.test(name)) continue;
    const endpoint = parseEndpoint(plain);
    if (!endpoint || isWildcard(endpoint)) continue;
    const isSocket = /^wss?$/.test(endpoint.scheme) && /pool/.test(name);
    if (isSocket && paidInPath(plain, endpoint)) facts.wallet = true;
    const sure =
      isStratum(endpoint) ||
      (hasDomain(indicators.pools, endpoint.host) &&
        (isPoolShaped(endpoint) || /^wss?$/.test(endpoint.scheme)));
    if (
      sure ||
      isSocket ||
      (!facts.pool && isPoolShaped(endpoint) && /^(url|pool.*|.*pool|.*stratum.*)$/.test(name))
    ) {
      facts.pool = { host: endpoint.host, sure };
    }
    if (walletOf(endpoint.user)) facts.wallet = true;
  }
  return facts;
}
