import { bech32, bech32m } from '@scure/base';

/** Human-readable parts of addresses (BIP 173, BIP 350 and each coin's own documents). */
const COINS: Record<string, string> = {
  bc: 'bitcoin',
  ltc: 'litecoin',
  ckb: 'nervos',
  dero: 'dero',
  deto: 'dero',
  grin: 'grin',
  zil: 'zilliqa',
  vtc: 'vertcoin',
  sys: 'syscoin',
  dgb: 'digibyte',
  mona: 'monacoin',
  spectre: 'spectre',
  pkt: 'packetcrypt',
};

/** Coins that nobody pays in, and CPUs mine. */
export const MINED_COINS: ReadonlySet<string> = new Set(['dero', 'spectre', 'packetcrypt']);

/** The coin whose bech32 or bech32m address `text` is. */
export function bech32Coin(text: string): string | undefined {
  const coin = COINS[text.slice(0, Math.max(text.indexOf('1'), 0)).toLowerCase()];
  if (coin === undefined || text.length > 140) return undefined;
  return bech32.decodeUnsafe(text, 140) || bech32m.decodeUnsafe(text, 140) ? coin : undefined;
}
