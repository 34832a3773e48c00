import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findWallets, walletOf } from '../../detection/wallet/wallet.ts';
import { BTC, DOGE, ETH, KASPA, XMR, XMR_SUB } from '../corpus/wallets.ts';

const BECH32 = 'bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq';

describe('walletOf', () => {
  test.each([
    [XMR, 'cryptonote'],
    [XMR_SUB, 'cryptonote'],
    [BTC, 'bitcoin'],
    [DOGE, 'dogecoin'],
    [ETH, 'ethereum'],
    [KASPA, 'kaspa'],
    [BECH32, 'bitcoin'],
  ])('knows %s', (address, coin) => {
    expect(walletOf(address)).toMatchObject({ coin, address, checked: true });
  });

  test.each(['.rig1', '+5000', '/me@example.org', '#code', '@pool:3333'])(
    'takes the worker suffix %s',
    (suffix) => {
      expect(walletOf(XMR + suffix)?.address).toBe(XMR);
    },
  );

  test('takes the coin that unMineable wants in front', () => {
    expect(walletOf(`DOGE:${DOGE}.rig#abcd-1234`)).toMatchObject({ coin: 'dogecoin', mined: true });
  });

  test('has no checksum to check in an Ethereum address of one case', () => {
    expect(walletOf(ETH.toLowerCase())).toMatchObject({ coin: 'ethereum', checked: false });
  });

  test.each([XMR, XMR_SUB, BTC, ETH, KASPA, BECH32])('refuses %s with any letter changed', (address) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: address.length - 1 }),
        fc.constantFrom('2', '3', 'e', 'f'),
        (at, letter) => {
          fc.pre(address[at]?.toLowerCase() !== letter);
          const changed = address.slice(0, at) + letter + address.slice(at + 1);
          expect(walletOf(changed)?.checked ?? false).toBe(false);
        },
      ),
    );
  });

  test('never throws', () => {
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void walletOf(text)));
    fc.assert(
      fc.property(fc.stringMatching(/^[1-9A-HJ-NP-Za-km-z]{26,140}$/), (text) => void walletOf(text)),
    );
  });
});

test('finds wallets in a text and counts each once', () => {
  const text = `Donate: ${XMR}, ${BTC} (bitcoin) or ${XMR}. Not this: ${'4'.repeat(95)}`;
  expect(findWallets(text).map(({ address }) => address)).toEqual([XMR, BTC]);
});
