import type { ArgumentFacts, Word } from './arguments.ts';
import { hasMiningPort, isPoolShaped, readArguments } from './arguments.ts';
import type { Docket } from './docket.ts';
import { type Endpoint, isPublicAddress, isStratum, isWeb, isWildcard } from './endpoint.ts';
import { judgeMiningPage, judgePoolScript } from './mining-page.ts';
import { UNKNOWN } from './text.ts';

/** Options that miners alone have and no tool would invent for another end. */
const STRONG_MARK =
  /^(donate-|randomx-|start-mining|cpu-max-threads-hint|no-getwork|mine-when-not-synced|coinbase-addr|mining-pubkey)/;

/** Commands of a node that make it mine: Iron Fish, geth's console, monerod's. */
const MINE_COMMAND = /^(miners:start|miner_start|start_mining|miner\.start\(\d{0,4}\))$/;

/** On these networks of Monero coins are worth nothing. */
const PLAY_NETWORK = /^--(regtest|testnet|stagenet)$/;

/** Passwords that pools take and no service would: x, c=COIN, d=DIFFICULTY, id=WORKER. */
const POOL_PASSWORD = /^(x|c=[a-z0-9]+|d=[0-9.]+|id=\S+|sd=\d+|m=\S+)([,;:]|$)/i;

/** What the name and the place of a program say: a blockchain node, or a file that hides in a scratch folder. */
export interface Caller {
  isNode?: boolean;
  isHidden?: boolean;
}

/** Judges the arguments of one command, whatever the command is called. */
export function judgeArguments(words: readonly Word[], docket: Docket, caller: Caller = {}): void {
  const facts = readArguments(words, docket.indicators);
  for (const { endpoint, word, role, peer, known, hasPortApart } of facts.endpoints) {
    if (isStratum(endpoint)) {
      if (isWildcard(endpoint))
        docket.report('stratum-server', word.path, 'It listens for miners.', word.text);
      else
        docket.report(
          'stratum-url',
          word.path,
          `It connects to the mining pool ${name(endpoint)}.`,
          word.text,
        );
    } else if (known) {
      const page = isWeb(endpoint) && !isMining(facts);
      const told =
        !page &&
        !peer &&
        (role === 'pool' ||
          role === 'host' ||
          isPoolShaped(endpoint) ||
          isPaidSite(facts, endpoint) ||
          (hasPortApart && isMining(facts)));
      const rule = told ? 'pool-host' : 'pool-mention';
      docket.report(
        rule,
        word.path,
        `It names ${endpoint.host}, the domain of a mining pool.`,
        endpoint.host,
      );
      judgePoolScript(endpoint, word.path, docket);
    }
    if (docket.indicators.addressRanges.has(endpoint.host, endpoint.port)) {
      docket.report(
        'pool-address',
        word.path,
        `${endpoint.host} is the address of a mining pool.`,
        endpoint.host,
      );
    }
  }
  judgeMiningPage(words, docket);
  judgePlay(facts, words, docket);
  judgeMarks(facts, docket, caller.isNode === true);
  const command = words.find(({ text }) => MINE_COMMAND.test(text));
  if (command) docket.report('miner-arguments', command.path, 'It tells a node to mine.', command.text);
  judgeNodeThreads(words, docket);
  judgeGeneration(words, docket);
  judgeTogether(facts, docket, caller);
}

/** A node that mines where coins are worth nothing tests something. */
function judgePlay(facts: ArgumentFacts, words: readonly Word[], docket: Docket): void {
  const { marks } = facts;
  const word = marks.get('start-mining');
  if (!word || !words.some(({ text }) => PLAY_NETWORK.test(text))) return;
  for (const option of ['start-mining', 'mining-threads', 'bg-mining-enable']) marks.delete(option);
  facts.wallets = [];
  docket.report('miner-arguments', word.path, 'It mines on a test network.', word.text, 20);
}

function judgeMarks({ marks }: ArgumentFacts, docket: Docket, isNode: boolean): void {
  if (marks.size === 0) return;
  const strong = [...marks].find(([option]) =>
    isNode ? option === 'start-mining' : STRONG_MARK.test(option),
  );
  const [option, word] = strong ?? [...marks][0] ?? [];
  if (option === undefined || word === undefined || (isNode && !strong)) return;
  const score = strong ? 100 : marks.size > 1 ? 90 : 50;
  docket.report('miner-arguments', word.path, `The option ${option} is that of a miner.`, word.text, score);
}

/** A node of Ethereum or its kin that mines with threads for a proof of work, on a network that others share. */
function judgeNodeThreads(words: readonly Word[], docket: Docket): void {
  if (!words.some(({ text }) => text === '--mine')) return;
  const threads = words.findIndex(({ text }) => /^--miner\.?threads(=|$)/.test(text));
  if (threads < 0 || words.some(({ text }) => /^--(dev|networkid)\b/.test(text))) return;
  const word = words[threads] as Word;
  const count = Number(word.text.split('=')[1] ?? words[threads + 1]?.text);
  if (count > 1)
    docket.report('miner-arguments', word.path, `It mines with ${count} threads.`, word.text, 90);
}

/** A node of Bitcoin's kin that mines with its own CPU: `-gen -genproclimit=16`. */
function judgeGeneration(words: readonly Word[], docket: Docket): void {
  const gen = words.find(({ text }) => /^--?gen(?:=1)?$/.test(text));
  if (!gen || words.some(({ text }) => /^--?(?:regtest|testnet|signet)\b/.test(text))) return;
  if (words.some(({ text }) => /^--?(?:genproclimit|mineraddress)(?:=|$)/.test(text)))
    docket.report('miner-arguments', gen.path, 'It tells a node to mine.', gen.text, 90);
}

/** What no argument says alone: a pool, somebody to pay, and how. */
function judgeTogether(facts: ArgumentFacts, docket: Docket, { isHidden }: Caller): void {
  const { endpoints, wallets, marks, algorithm, user, password, port, pooled } = facts;
  const mark = marks.size === 0 ? undefined : marks.keys().next().value;
  const pools = endpoints.filter(
    ({ endpoint, role, peer }) =>
      !peer &&
      (role === 'pool' || role === 'host' || role === undefined) &&
      isPoolShaped(endpoint, endpoint.port ?? port),
  );
  const pool = pools.find(({ role }) => role !== undefined) ?? pools[0];
  const told = pool && pool.role !== undefined;
  const mined = wallets.find(({ wallet }) => wallet.mined);
  const payee = wallets.find(({ role }) => role !== undefined) ?? wallets[0];
  const socket = endpoints.find(({ endpoint, role }) => role === 'pool' && /^wss?$/.test(endpoint.scheme));
  const report = (word: Word, message: string, score: number) =>
    docket.report('miner-arguments', word.path, message, word.text, score);
  if (pool && payee && (told || payee.wallet.mined)) {
    report(payee.word, `It is given a pool and a ${payee.wallet.coin} wallet.`, 100);
  } else if ((facts.meant ?? mined) && endpoints.some(({ endpoint }) => isPoolSite(endpoint))) {
    const word = facts.meant ?? mined?.word;
    if (word) report(word, 'It is given the site of a pool and a wallet.', 90);
  } else if (told && facts.meant) {
    report(facts.meant, 'It is given a pool and what is meant as a wallet.', 90);
  } else if (pool && algorithm && (!algorithm.common || (told && user !== undefined))) {
    const isPaid = user?.toLowerCase().startsWith(`${algorithm.name.toLowerCase()}:`) === true;
    const sure = !algorithm.common || isPaid || (password !== undefined && POOL_PASSWORD.test(password));
    report(algorithm.word, `It is given a pool and the mining algorithm ${algorithm.name}.`, sure ? 100 : 40);
  } else if (algorithm && !algorithm.common && payee) {
    report(algorithm.word, `It is given a wallet and the mining algorithm ${algorithm.name}.`, 100);
  } else if (socket && (mined || facts.payee !== undefined || facts.meant)) {
    report(mined?.word ?? socket.word, 'It is given a pool by websocket and a wallet.', mined ? 100 : 90);
  } else if (mark !== undefined && mined) {
    report(mined.word, `It is given a ${mined.wallet.coin} wallet and the miner's option ${mark}.`, 100);
  } else if (mined?.role === 'user' && password !== undefined) {
    report(mined.word, `It logs in as a ${mined.wallet.coin} wallet.`, 90);
  } else if (told && mark !== undefined) {
    report(pool.word, `It is given a pool and the miner's option ${mark}.`, 90);
  } else if (pooled && pool === undefined && mark !== undefined && user !== undefined) {
    const isUnknown = pooled.text.includes(UNKNOWN) || pooled.text.includes('$');
    report(pooled, `It is given an address, a user and the miner's option ${mark}.`, isUnknown ? 90 : 60);
  } else if (told && pool.endpoint.host.endsWith('.onion') && hasMiningPort(pool.endpoint)) {
    report(pool.word, 'It is given a hidden service in the way of a miner.', 90);
  } else if (told && facts.payee !== undefined) {
    report(
      pool.word,
      'It is given a pool and a wallet.',
      hasMiningPort(pool.endpoint) || pool.option === 'pool' ? 90 : 70,
    );
  } else if (told && user !== undefined && pool.role === 'pool') {
    const poolPassword = password !== undefined && POOL_PASSWORD.test(password);
    const hints = [poolPassword, hasMiningPort(pool.endpoint), isPublicAddress(pool.endpoint.host)];
    const isHidden = pool.endpoint.host.endsWith('.onion');
    const score =
      (password === undefined ? 20 : 40) + 20 * hints.filter(Boolean).length + (isHidden ? 40 : 0);
    report(
      pool.word,
      'It is given an address, a user and a password in the way of a miner.',
      Math.min(score, 90),
    );
  } else if (told && pool.role === 'pool' && isPublicAddress(pool.endpoint.host)) {
    // What is packaged hides from nobody, and is told names rather than addresses.
    report(pool.word, 'It is given a public address in the way of a miner.', isHidden ? 60 : 25);
  }
  if (algorithm?.option === 'coin' && mark !== undefined)
    report(algorithm.word, `It is given the coin ${algorithm.name} and the miner's option ${mark}.`, 90);
  if (algorithm?.option === 'coin' && told) {
    // A ledger that is asked by hand wants a password beside the user.
    const isPaid = user !== undefined && password === undefined;
    report(algorithm.word, `It is given a pool and the coin ${algorithm.name}.`, isPaid ? 90 : 60);
  }
  if (algorithm && !algorithm.common) report(algorithm.word, `It is told to use ${algorithm.name}.`, 40);
  for (const { wallet, word, role } of wallets) {
    const score = role === undefined || !wallet.mined ? 15 : 40;
    docket.report(
      'wallet-argument',
      word.path,
      `It is given a ${wallet.coin} wallet.`,
      wallet.address,
      score,
    );
  }
}

/** PacketCrypt pools are asked over HTTP: the site of a pool, and somebody to pay. */
function isPaidSite({ meant, wallets }: ArgumentFacts, endpoint: Endpoint): boolean {
  const isPaid = meant !== undefined || wallets.some(({ wallet }) => wallet.mined);
  return isPaid && isWeb(endpoint) && endpoint.path.length <= 1;
}

/** A host that calls itself a pool, asked over the web for nothing in particular. */
function isPoolSite(endpoint: Endpoint): boolean {
  return (
    isWeb(endpoint) &&
    endpoint.path.length <= 1 &&
    /^(?:[a-z0-9]+[.-])?(?:pool|mine|mining|stratum)\d?[.-]/.test(endpoint.host)
  );
}

function isMining({ marks, algorithm, wallets, meant }: ArgumentFacts): boolean {
  return (
    marks.size > 0 ||
    meant !== undefined ||
    (algorithm !== undefined && !algorithm.common) ||
    wallets.some(({ wallet }) => wallet.mined)
  );
}

function name({ host, port }: { host: string; port: number | undefined }): string {
  return port === undefined ? host : `${host}:${port}`;
}
