import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { expect, test } from 'vitest';
import { AddressRanges, parseAddressRange } from '../../detection/address-ranges.ts';

test.each([
  ['192.0.2.1', { cidr: '192.0.2.1/32' }],
  ['192.0.2.0/24', { cidr: '192.0.2.0/24' }],
  ['192.0.2.1:3333', { cidr: '192.0.2.1/32', port: 3333 }],
  ['2001:db8::/32', { cidr: '2001:db8::/32' }],
  ['[2001:db8::1]:443', { cidr: '2001:db8::1/128', port: 443 }],
])('reads %s', (text, range) => expect(parseAddressRange(text)).toEqual(range));

test.each(['', 'a', '192.0.2.1:0', '192.0.2.1:70000', '192.0.2.1/33', '[2001:db8::1', '1.2.3'])(
  'refuses %j',
  (text) => {
    expect(parseAddressRange(text)).toBeUndefined();
  },
);

test('answers as a walk over all ranges does', () => {
  const address = fc.integer({ min: 0, max: 255 }).map((last) => `10.0.0.${last}`);
  const range = fc.record({
    cidr: fc.tuple(address, fc.integer({ min: 24, max: 32 })).map(([base, bits]) => `${base}/${bits}`),
    port: fc.constantFrom(undefined, 80, 443),
  });
  fc.assert(
    fc.property(
      fc.array(range, { maxLength: 12 }),
      address,
      fc.constantFrom(80, 443, 9),
      (ranges, asked, port) => {
        const given = ranges.map(({ cidr, port }) => (port === undefined ? { cidr } : { cidr, port }));
        const expected = given.some(
          (one) =>
            ipaddr.parse(asked).match(ipaddr.parseCIDR(one.cidr)) &&
            (one.port === undefined || one.port === port),
        );
        expect(new AddressRanges(given).has(asked, port)).toBe(expected);
      },
    ),
  );
});

test('takes IPv6 and addresses mapped into it', () => {
  const ranges = new AddressRanges([{ cidr: '2001:db8::/32' }, { cidr: '192.0.2.0/24' }]);
  expect(ranges.has('2001:db8::5', 1)).toBe(true);
  expect(ranges.has('::ffff:192.0.2.9', 1)).toBe(true);
  expect(ranges.has('2001:db9::5', 1)).toBe(false);
  expect(ranges.has('pool.example.org', 1)).toBe(false);
});
