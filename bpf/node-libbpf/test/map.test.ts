import { expect, test } from 'vitest';
import { BpfMap, bytes, text, u32, u64 } from '../index.ts';
import { openTiny } from './tiny.ts';

const hash = (maxEntries = 100) => BpfMap.create({ type: 'hash', keySize: 4, valueSize: 8, maxEntries });

test('set, get, delete, keys, entries', () => {
  using map = hash();
  const typed = map.typed(u32, u64);
  for (let key = 0; key < 50; key++) typed.set(key, BigInt(key) ** 8n);
  expect(typed.get(7)).toBe(7n ** 8n);
  expect(typed.get(50)).toBeUndefined();
  expect([typed.delete(7), typed.delete(7)]).toEqual([true, false]);
  const keys = Array.from({ length: 50 }, (_, at) => at).filter((at) => at !== 7);
  expect([...typed.keys()].sort((a, b) => a - b)).toEqual(keys);
  expect(new Map(typed.entries())).toEqual(new Map(keys.map((key) => [key, BigInt(key) ** 8n])));
});

test('a full map is read whole, in batches or not', () => {
  using map = hash(5000);
  const typed = map.typed(u32, u64);
  for (let key = 0; key < 5000; key++) typed.set(key, 1n);
  expect(new Map(typed.entries()).size).toBe(5000);
  expect(() => typed.set(5000, 1n)).toThrow(expect.objectContaining({ code: 'E2BIG', operation: 'map.set' }));
  // The kernel has no keys to list in reverse order of a trie, and older ones no batches of it.
  using trie = BpfMap.create({ type: 'lpmTrie', keySize: 8, valueSize: 4, maxEntries: 10, flags: 1 });
  trie.set(Buffer.from([24, 0, 0, 0, 10, 0, 0, 0]), Buffer.alloc(4, 5));
  expect(trie.get(Buffer.from([32, 0, 0, 0, 10, 0, 0, 9]))).toEqual(Buffer.alloc(4, 5));
  expect(trie.entries()).toHaveLength(1);
});

test('keys may be deleted while they are walked', () => {
  using map = hash();
  const typed = map.typed(u32, u64);
  for (let key = 0; key < 100; key++) typed.set(key, 0n);
  let walked = 0;
  for (const key of typed.keys()) {
    typed.delete(key);
    if (++walked > 1000) break;
  }
  expect([...typed.keys()]).toEqual([]);
});

test('create and replace mean it', () => {
  using map = hash();
  const key = Buffer.alloc(4);
  expect(() => map.set(key, Buffer.alloc(8), 'replace')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  map.set(key, Buffer.alloc(8), 'create');
  expect(() => map.set(key, Buffer.alloc(8), 'create')).toThrow(expect.objectContaining({ code: 'EEXIST' }));
});

test('a key or value of the wrong size never reaches the kernel', () => {
  using map = hash();
  expect(() => map.get(Buffer.alloc(3))).toThrow(/has 4 bytes; 3 were given/);
  expect(() => map.set(Buffer.alloc(4), Buffer.alloc(9))).toThrow(/has 8 bytes; 9 were given/);
  expect(() => map.typed(u64, u64)).toThrow(RangeError);
});

test('a per-CPU map has a value for each CPU', () => {
  using map = BpfMap.create({ type: 'percpuArray', keySize: 4, valueSize: 8, maxEntries: 1 });
  const key = Buffer.alloc(4);
  const all = Buffer.alloc(map.valueBytes);
  for (let at = 0; at < all.length; at += 8) all.writeBigUInt64LE(BigInt(at + 1), at);
  map.set(key, all);
  const read = map.get(key);
  expect(read).toEqual(all);
  expect(map.perCpu(all)).toHaveLength(all.length / 8);
  expect(map.sum(key)).toBe(map.perCpu(all).reduce((sum, one) => sum + one.readBigUInt64LE(), 0n));
});

test('a map is typed by the BTF of its object', () => {
  using object = openTiny([]);
  object.load();
  const pairs = object.typedMap('pairs');
  const value = { number: 4_000_000_000, small: -7, bytes: Buffer.from([1, 2]), large: 2n ** 63n };
  pairs.set(5, value);
  expect(pairs.get(5)).toEqual(value);
  pairs.raw.close();
});

test('text and bytes keep to their size', () => {
  using map = BpfMap.create({ type: 'hash', keySize: 8, valueSize: 3, maxEntries: 4 });
  const typed = map.typed(text(8), bytes(3));
  typed.set('seven77', Buffer.from([1, 2, 3]));
  expect(typed.entries()).toEqual([['seven77', Buffer.from([1, 2, 3])]]);
  expect(() => typed.set('eight888', Buffer.alloc(3))).toThrow(RangeError);
  expect(() => typed.set('x', Buffer.alloc(2))).toThrow(RangeError);
});
