import type { Word } from './arguments.ts';
import type { Docket } from './docket.ts';
import { isMeantAsWallet, walletOf } from './wallet/wallet.ts';

/** What a page that mines in the browser is told beside the wallet. */
const SETTING = /^(?:pool|threads?|throttle|algo|algorithm|coin|worker|intensity|cpu|power|autostart)$/i;

const QUERY_LIMIT = 32;

/** A scheme, a host and a wallet are longer. */
const SHORTEST = 50;

/** An address of the web that hands a wallet and settings of mining to a page, as a headless browser is told to open. */
export function judgeMiningPage(words: readonly Word[], docket: Docket): void {
  for (const { text, path } of words) {
    if (text.length < SHORTEST || !/^(?:https?|wss?|file):\/\//i.test(text)) continue;
    const pairs = text.split(/[?&#]/, QUERY_LIMIT).slice(1);
    const values = pairs.map((pair) => pair.slice(pair.indexOf('=') + 1));
    const isPaid = values.some((value) => walletOf(value)?.mined || isMeantAsWallet(value));
    const setting = pairs.map((pair) => pair.split('=', 1)[0] ?? '').find((key) => SETTING.test(key));
    if (isPaid && setting !== undefined)
      docket.report('miner-arguments', path, `It opens a page with a wallet and ${setting}.`, setting, 90);
  }
}
