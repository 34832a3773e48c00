import { BlockList } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../bpf/address.ts';

test('what is formatted is parsed to the same bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      expect(parseAddress(formatAddress(bytes))).toEqual(bytes);
    }),
  );
});

test('every IPv4 and IPv6 address is read', () => {
  fc.assert(fc.property(fc.ipV4(), (text) => formatAddress(parseAddress(text) ?? new Uint8Array()) === text));
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const list = new BlockList();
      list.addAddress(text, 'ipv6');
      const again = formatAddress(parseAddress(text) ?? new Uint8Array());
      return list.check(again, again.includes(':') ? 'ipv6' : 'ipv4');
    }),
  );
});

test('other text is refused, never thrown at', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseAddress(text)));
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '::1::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    'g::',
    '::1.2.3',
  ]) {
    expect(parseAddress(text)).toBeUndefined();
  }
});

test.each([
  ['::', '::'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ['::ffff:1.2.3.4', '1.2.3.4'],
  ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
])('%s is written as RFC 5952 wants: %s', (text, canonical) => {
  expect(formatAddress(parseAddress(text) ?? new Uint8Array())).toBe(canonical);
});
