import { base58CheckCoin } from './base58check.ts';
import { bech32Coin, MINED_COINS } from './bech32.ts';
import { isCashAddr } from './cashaddr.ts';
import { isCryptoNote } from './cryptonote.ts';
import { ethereumAddress } from './ethereum.ts';

/** A coin address whose checksum holds. */
export interface Wallet {
  coin: string;
  /** The address alone, without worker, difficulty or coin prefix. */
  address: string;
  /** True for coins that one CPU or GPU can still mine and few shops take: with a pool it is conclusive. */
  mined: boolean;
  /** False for forms without a checksum. */
  checked: boolean;
}

/** No address is shorter; what is shorter is not looked at. */
const SHORTEST = 26;

/**
 * The wallet that `text` is or starts with. Pools take a worker, a difficulty or an e-mail behind it
 * (`ADDRESS.rig+5000/mail`), unMineable a coin before it (`DOGE:ADDRESS.rig#code`).
 */
export function walletOf(text: string): Wallet | undefined {
  if (text.length < SHORTEST) return undefined;
  const cash = /^([a-z]{2,12}):([02-9ac-hj-np-z]{42,120})(?![0-9A-Za-z])/.exec(text);
  if (cash) {
    const [, prefix = '', payload = ''] = cash;
    if (isCashAddr(prefix, payload)) {
      return {
        coin: prefix,
        address: `${prefix}:${payload}`,
        mined: prefix !== 'bitcoincash',
        checked: true,
      };
    }
  }
  const [, coinPrefix, body = ''] =
    /^(?:([A-Za-z0-9]{2,8}):)?([0-9A-Za-z]{26,150})(?![0-9A-Za-z])/.exec(text) ?? [];
  if (body === '') return undefined;
  if (isCryptoNote(body)) return { coin: 'cryptonote', address: body, mined: true, checked: true };
  const ethereum = ethereumAddress(body);
  const coin = ethereum ? 'ethereum' : (base58CheckCoin(body) ?? bech32Coin(body));
  if (coin === undefined) return undefined;
  return {
    coin,
    address: body,
    mined: coinPrefix !== undefined || MINED_COINS.has(coin),
    checked: ethereum !== 'plain',
  };
}

/** Standard and integrated addresses of Monero, and sub-addresses. */
const MONERO_FORM =
  /^(?:4[0-9AB]|8[2-9A-C])[1-9A-HJ-NP-Za-km-z]{93}(?:[1-9A-HJ-NP-Za-km-z]{11})?(?![0-9A-Za-z])/;

/** Addresses of other mined coins by a prefix that nothing else has: Kaspa and its kin, Dero, PacketCrypt, Zephyr, Salvium, Xelis; Alephium, QRL and Qubic by their length, the latter with letters that no sequence of proteins or DNA has. */
const COIN_FORM =
  /^(?:(?:kaspa|karlsen|nexa|pyrin|spectre):[02-9ac-hj-np-z]{40,}|dero1[02-9ac-hj-np-z]{58,}|pkt1[02-9ac-hj-np-z]{38,}|xel:[02-9ac-hj-np-z]{50,}|(?:ZEPH|SaLv|SC1)[1-9A-HJ-NP-Za-km-z]{80,}|1[1-9A-HJ-NP-Za-km-z]{44}|Q[0-9a-f]{78}|(?=[A-Z]*[JO])[A-Z]{60})(?![0-9A-Za-z])/;

/**
 * Whether `text` begins with what has the form of the address of a mined coin, whatever its checksum says. It pays
 * nobody when that is wrong, and is meant as a wallet all the same: beside a pool it counts, alone it is a placeholder.
 */
export function isMeantAsWallet(text: string): boolean {
  if (text.length < 42) return false;
  return COIN_FORM.test(text) || (text.length >= 95 && MONERO_FORM.test(text));
}

const WALLET_LIMIT = 16;

/** Every wallet in a text, at most 16. Linear in its length. */
export function findWallets(text: string): Wallet[] {
  const found = new Map<string, Wallet>();
  for (const [token] of text.matchAll(/[0-9A-Za-z:]{26,160}/g)) {
    const wallet = walletOf(token) ?? walletOf(token.slice(token.lastIndexOf(':') + 1));
    if (wallet) found.set(wallet.address, wallet);
    if (found.size >= WALLET_LIMIT) break;
  }
  return [...found.values()];
}
