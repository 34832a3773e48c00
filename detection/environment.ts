import { hasMiningPort, isPoolShaped } from './arguments.ts';
import type { Docket } from './docket.ts';
import { type Endpoint, isStratum, isWeb, isWildcard, paidInPath, parseEndpoint } from './endpoint.ts';
import { hasDomain } from './indicators.ts';
import { judgeArguments } from './miner-arguments.ts';
import { judgeMinerConfig } from './miner-config.ts';
import { isPoolName, nameIn } from './names.ts';
import { isInert } from './program.ts';
import { VALUE_LIMIT } from './shell/data.ts';
import { decodeBase64 } from './shell/decode.ts';
import { fold, tokens } from './text.ts';
import { isMeantAsWallet, type Wallet, walletOf } from './wallet/wallet.ts';

export interface Variable {
  name: string;
  value: string;
  path: string;
}

/** Words in the name of a variable that make it a setting of mining, with what the value is. */
const POOL_WORDS = /^(pool|stratum|mining|miner|xmrig)$/;
const HOST_WORDS = /^(host|hostname|server|address|port|url)$/;
const PAYEE_WORDS = /^(wallet|address|user|username|worker|login)$/;
const POOL_NAME = /^(?:mining_)?pool(?:_(?:url|host|server|address|addr))?$/;
const ALGORITHM_WORDS = /^(algo|algorithm|coin|currency)$/;

/** Second half of `XMRIG_…` and `MINER_…` that an image which wraps a miner takes. */
const MINER_SETTING =
  /^(pool|url|user|wallet|pass|password|algo|algorithm|coin|donate|donation|threads|worker|rig|opts|args|address|config)$/;

/** An exporter is told where the miner's own API is. */
const ABOUT_WORDS = /^(api|exporter|metrics|monitor|target|scrape)$/;

/** No name without one of these is a setting of mining: most variables are done with here. */
const SETTING =
  /nicehash|pool|stratum|min(er|ing)|xmr|rig|wallet|address|user|worker|login|algo|coin|currency|donat|randomx|hash/i;

/** Names that are used for nothing else. */
const OWN_NAME =
  /^(donate_level|rig_id|mining_pool|stratum_url|miner_wallet|mining_address|hash_?rate_limit|randomx_\w+)$/;

interface Facts {
  pool: { variable: Variable; endpoint: Endpoint } | undefined;
  wallet: { variable: Variable; wallet: Wallet; named: boolean } | undefined;
  payee: Variable | undefined;
  algorithm: Variable | undefined;
  /** Host and port of a pool in variables of their own. */
  host: Variable | undefined;
  port: string | undefined;
  coin: Variable | undefined;
  worker: boolean;
  /** `POOL` and its kin, whatever address it holds. */
  pooled: boolean;
  /** What is before the last word of the names of variables that hold a port; and the one that holds a known pool. */
  ports: Set<string>;
  site: { variable: Variable; of: string } | undefined;
  /** `NICEHASH_WALLET`: who is paid at a pool that the name tells. */
  accounts: Variable[];
}

/** Judges the literal variables of one container. Values are never shown, apart from the match itself. */
export function judgeEnvironment(variables: readonly Variable[], docket: Docket): void {
  const facts: Facts = {
    pool: undefined,
    wallet: undefined,
    payee: undefined,
    algorithm: undefined,
    host: undefined,
    port: undefined,
    coin: undefined,
    worker: false,
    pooled: false,
    ports: new Set(),
    site: undefined,
    accounts: [],
  };
  for (const variable of variables) {
    if (variable.value !== '') judgeVariable(variable, facts, docket);
  }
  const { host, port } = facts;
  const endpoint = host && port && parseEndpoint(`${host.value}:${port}`);
  if (host && endpoint && isPoolShaped(endpoint)) facts.pool ??= { variable: host, endpoint };
  const { site, ports, wallet } = facts;
  if (site && ports.has(site.of) && wallet?.wallet.mined)
    docket.report(
      'pool-host',
      site.variable.path,
      'It names a mining pool and its port.',
      site.variable.name,
      80,
    );
  judgeTogether(facts, docket);
}

/** `REMOTE` of REMOTE_HOST and REMOTE_PORT. */
function ownerOf(name: string): string {
  return name.replace(/_?[A-Za-z]+$/, '');
}

function judgeVariable(variable: Variable, facts: Facts, docket: Docket): void {
  const { name, value, path } = variable;
  const words = SETTING.test(name) ? tokens(fold(name.replace(/([a-z])([A-Z])/g, '$1_$2'))) : [];
  const setting = words.join('_');
  const { indicators } = docket;
  if (
    words.length > 1 &&
    nameIn(words[0] ?? '', indicators)?.kind === 'miner' &&
    words.slice(1).some((word) => MINER_SETTING.test(word)) &&
    !words.some((word) => ABOUT_WORDS.test(word))
  ) {
    docket.report('miner-environment', path, `${name} is a setting of a miner.`, name, 90);
  } else if (words.length > 0 && OWN_NAME.test(fold(name))) {
    docket.report('miner-environment', path, `${name} is a setting of a miner.`, name, 50);
  }
  if (value.startsWith('-') || (value.includes(' -') && !isInert(value.slice(0, value.search(/\s/))))) {
    const words = value.split(/\s+/, 256).map((text) => ({ text, path }));
    judgeArguments(words, docket);
  }
  if (value.length >= 40 && value.length < VALUE_LIMIT) judgeEncoded(value, path, docket);
  if (words.some((word) => POOL_WORDS.test(word)) && words.some((word) => HOST_WORDS.test(word))) {
    if (/^\d{1,5}$/.test(value)) facts.port ??= value;
    else facts.host ??= variable;
  }
  if (value.length <= 5 && /port$/i.test(name) && /^\d{2,5}$/.test(value)) facts.ports.add(ownerOf(name));
  if (POOL_NAME.test(setting) && /^[\w.:+/-]{1,64}$/.test(value) && !/^\d+$/.test(value)) facts.pooled = true;
  if (words.some((word) => ALGORITHM_WORDS.test(word)) && indicators.algorithms.has(fold(value)))
    facts.coin ??= variable;
  if (/(?:^|_)(?:worker|rig)_?(?:name|id)?$/.test(setting)) facts.worker = true;
  if (isPoolName(words[0] ?? '') && words.length === 2 && PAYEE_WORDS.test(words[1] ?? ''))
    facts.accounts.push(variable);
  const endpoint = value.length < 512 && /[.:]/.test(value) ? parseEndpoint(value) : undefined;
  if (endpoint && words.some((word) => POOL_WORDS.test(word)) && paidInPath(value, endpoint))
    docket.report('miner-environment', path, `${name} names a pool and who is paid.`, name, 90);
  if (endpoint?.scheme === '' && endpoint.path === '' && hasDomain(indicators.pools, endpoint.host))
    facts.site ??= { variable, of: ownerOf(name) };
  if (endpoint) judgeEndpoint(endpoint, variable, words, facts, docket);
  if (words.some((word) => PAYEE_WORDS.test(word))) facts.payee ??= variable;
  if (indicators.algorithms.get(fold(value)) === false && words.some((word) => ALGORITHM_WORDS.test(word))) {
    facts.algorithm ??= variable;
  }
  const wallet = walletOf(value) ?? (endpoint ? walletOf(endpoint.user) : undefined);
  if (wallet && !(facts.wallet?.wallet.mined && !wallet.mined)) {
    facts.wallet = { variable, wallet, named: words.some((word) => PAYEE_WORDS.test(word)) };
    docket.report('wallet-mention', path, `${name} holds a ${wallet.coin} wallet.`, wallet.address);
  }
}

/** The configuration of a miner as it is or in base64, for an entrypoint that writes it into a file. */
function judgeEncoded(value: string, path: string, docket: Docket): void {
  const text = value.startsWith('{') ? value : decodeBase64(value);
  if (text && /^[\s{[#;"\w-]/.test(text) && docket.spend(text.length, path))
    judgeMinerConfig(text, path, docket);
}

function judgeEndpoint(
  endpoint: Endpoint,
  variable: Variable,
  words: readonly string[],
  facts: Facts,
  docket: Docket,
): void {
  const { name, value, path } = variable;
  const poolNamed = words.some((word) => POOL_WORDS.test(word));
  if (isStratum(endpoint)) {
    const rule = isWildcard(endpoint) ? 'stratum-server' : 'stratum-url';
    docket.report(rule, path, `${name} names the pool ${endpoint.host}.`, value);
  } else if (hasDomain(docket.indicators.pools, endpoint.host)) {
    const told = (poolNamed && !isWeb(endpoint)) || isPoolShaped(endpoint);
    docket.report(
      told ? 'pool-host' : 'pool-mention',
      path,
      `${name} names ${endpoint.host}, a mining pool.`,
      endpoint.host,
    );
  } else if (docket.indicators.addressRanges.has(endpoint.host, endpoint.port)) {
    docket.report('pool-address', path, `${name} names the address of a mining pool.`, endpoint.host);
  }
  const shaped = isPoolShaped(endpoint) && (poolNamed || hasMiningPort(endpoint));
  if (shaped && !/peer|node|daemon|rpc|db|redis|postgres|mysql|amqp|connection/.test(fold(name))) {
    facts.pool ??= { variable, endpoint };
  }
}

function judgeTogether(facts: Facts, docket: Docket): void {
  const { pool, wallet, payee, algorithm, coin, worker, pooled, accounts } = facts;
  const report = ({ path, name }: Variable, message: string, score: number) =>
    docket.report('miner-environment', path, message, name, score);
  if (pool && wallet?.named) report(pool.variable, `A pool and a ${wallet.wallet.coin} wallet are set.`, 100);
  else if (pool && algorithm) report(pool.variable, 'A pool and a mining algorithm are set.', 100);
  else if (algorithm && (wallet?.named || wallet?.wallet.mined || (payee && /wallet/i.test(payee.name)))) {
    // An address of Ethereum alone may be that of anything.
    const sure = wallet?.wallet.mined || /wallet|worker|miner|mining|payout|user/i.test(payee?.name ?? '');
    report(algorithm, 'A wallet and a mining algorithm are set.', sure ? 90 : 60);
  } else if (coin && worker && wallet?.named) {
    report(coin, `A coin, a ${wallet.wallet.coin} wallet and a worker are set.`, 90);
  } else if (coin && worker && pooled && payee && /wallet/i.test(payee.name)) {
    report(coin, 'A coin, a pool, a wallet and a worker are set.', 90);
  } else if (accounts[0]) {
    report(accounts[0], 'Who is paid at a pool is set.', accounts.length > 1 ? 90 : 50);
  } else if (pool && payee && isMeantAsWallet(payee.value)) {
    report(pool.variable, 'A pool and what is meant as a wallet are set.', 90);
  } else if (pool && payee && isOfPool(pool.variable.name) && isOfPool(payee.name)) {
    report(pool.variable, 'A pool and somebody to pay are set.', 90);
  } else if (pool && payee && /wallet/i.test(payee.name)) {
    const names = `${pool.variable.name} ${payee.name}`;
    if (/min(?:er|ing)/i.test(names) || isOfPool(pool.variable.name))
      report(pool.variable, 'A pool and a wallet are set.', 90);
    else if (hasMiningPort(pool.endpoint)) report(pool.variable, 'A pool and a wallet are set.', 60);
  }
}

/** Whether the name of a variable says whose pool it is: XMR_POOL_URL, STRATUM_USER. */
function isOfPool(name: string): boolean {
  return /(?:^|_)(?:xmr|monero|stratum)_/i.test(name);
}
