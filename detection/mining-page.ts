import type { Word } from './arguments.ts';
import type { Docket } from './docket.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import { hasDomain } from './indicators.ts';
import { isMeantAsWallet, walletOf } from './wallet/wallet.ts';

/** What a page that mines in the browser is told beside the wallet. */
const SETTING = /^(?:pool|threads?|throttle|algo|algorithm|coin|worker|intensity|cpu|power|autostart)$/i;

/** How hard to work; calculators and statistics of pools are asked for coins and pools as well. */
const WORK = /^(?:threads?|throttle|intensity|cpu|power|autostart)=/i;

const QUERY_LIMIT = 32;

/** A scheme, a host and a setting are longer. */
const SHORTEST = 24;

/** An address of the web that hands a wallet and settings of mining to a page, as a headless browser is told to open. */
export function judgeMiningPage(words: readonly Word[], docket: Docket): void {
  for (const { text, path } of words) {
    if (text.length < SHORTEST || !/^(?:https?|wss?|file):\/\//i.test(text)) continue;
    const pairs = text.split(/[?&#]/, QUERY_LIMIT).slice(1);
    const values = pairs.map((pair) => pair.slice(pair.indexOf('=') + 1));
    const isPaid = values.some((value) => walletOf(value)?.mined || isMeantAsWallet(value));
    const setting = pairs.map((pair) => pair.split('=', 1)[0] ?? '').find((key) => SETTING.test(key));
    const host = parseEndpoint(text)?.host ?? '';
    const isPool = hasDomain(docket.indicators.pools, host) && pairs.some((pair) => WORK.test(pair));
    if (setting !== undefined && (isPaid || isPool))
      docket.report('miner-arguments', path, `It opens a page that mines, with ${setting}.`, setting, 90);
  }
}

/** As the scripts of Coinhive and those that took its interface over are started: `new NAME.Anonymous('KEY', …)`. */
const BROWSER_MINER = /\bnew\s+[\w$]{1,64}\.(?:Anonymous|User|Token)\(\s*['"]([\w-]{4,256})['"]/;

/** A script that makes those mine who load it. Their readers have it escaped. */
export function judgeBrowserMiner(file: string, text: string, path: string, docket: Docket): void {
  if (!/\.(?:html?|js|mjs|php|tpl|jsp|aspx?)$/i.test(file)) return;
  const [start, key = ''] = BROWSER_MINER.exec(text) ?? [];
  // The keys of sites are long; a short one is told how hard to work.
  if (start !== undefined && (key.length >= 24 || /\bthrottle\s*:/.test(text)))
    docket.report('miner-config', path, 'It starts a miner in the browser.', start.slice(0, 48), 90);
}

/** The script of a pool, which mines where a browser loads it. */
export function judgePoolScript({ host, path: page }: Endpoint, path: string, docket: Docket): void {
  if (/\.(?:js|wasm)(?:[?#]|$)/.test(page) && hasDomain(docket.indicators.pools, host))
    docket.report('miner-download', path, `It loads a script of the pool ${host}.`, host);
}
