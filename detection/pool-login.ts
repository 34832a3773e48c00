import type { Docket } from './docket.ts';
import { hasDomain } from './indicators.ts';
import { fold } from './text.ts';
import { walletOf } from './wallet/wallet.ts';

/** Judges a text that names a pool for what a miner reads in whatever order: the pool's port, and who logs in there. */
export function judgePoolLogin(text: string, path: string, docket: Docket): void {
  const site = isLogin(text) ? poolIn(text, docket) : undefined;
  if (site === undefined) return;
  docket.report('miner-config', path, `It logs in to ${site} as a wallet with a worker.`, site, 90);
}

/** A wallet in the form that pools alone take: `"ADDRESS.worker"`. */
function isLogin(text: string): boolean {
  for (const [, quoted = ''] of text.matchAll(/["']([^"'\n]{26,256})["']/g)) {
    const wallet = walletOf(quoted);
    if (wallet && /^[.+/][\w.+/@-]{1,64}$/.test(quoted.slice(wallet.address.length))) return true;
  }
  return false;
}

/** A string that is the address of a pool where miners connect. */
function poolIn(text: string, { indicators }: Docket): string | undefined {
  for (const [, host = ''] of text.matchAll(/["'](?:[a-z+]{3,16}:\/\/)?([\w.-]{4,128}):\d{2,5}["']/g))
    if (hasDomain(indicators.pools, fold(host))) return host;
  return undefined;
}
