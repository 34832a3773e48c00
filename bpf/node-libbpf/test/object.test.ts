import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BpfError, BpfObject } from '../index.ts';
import { openTiny, tinyFile } from './tiny.ts';

const thrown = (action: () => unknown): BpfError => {
  try {
    action();
  } catch (error) {
    if (error instanceof BpfError) return error;
    throw error;
  }
  throw new Error('Nothing was thrown.');
};

test('a file and its bytes open alike', () => {
  const file = tinyFile();
  using fromFile = BpfObject.open(file);
  using fromBytes = BpfObject.open(readFileSync(file), { name: 'tiny' });
  expect([...fromBytes.programs.keys()]).toEqual([...fromFile.programs.keys()]);
  expect(fromFile.program('each_task').section).toBe('iter/task');
  expect(fromFile.mapNames).toContain('pairs');
});

test.each([
  ['a missing file', () => BpfObject.open('/nowhere.o'), 'ENOENT'],
  ['no ELF', () => BpfObject.open(Buffer.from('no object at all')), 'ENOEXEC'],
  ['an empty buffer', () => BpfObject.open(Buffer.alloc(0)), 'EINVAL'],
])('%s is an error with its errno', (_name, action, code) => {
  const error = thrown(action);
  expect([error.code, error.operation]).toEqual([code, 'open']);
});

test('a program that the verifier refuses gives its log, and nothing on stderr', () => {
  using object = openTiny(['rejected']);
  const error = thrown(() => object.load());
  expect(error.code).toBe('EACCES');
  expect(error.operation).toBe('load');
  expect(error.log).toContain("prog 'rejected'");
  expect(error.log).toMatch(/R\d/);
});

test('settings reach the program and are checked', () => {
  using object = openTiny(['on_system_call']);
  object.setRodata({ wanted_tgid: process.pid, label: 'hello', negative: -5n, flag: true });
  expect(() => object.setRodata({ wanted_tgid: 2 ** 32 })).toThrow(/does not fit/);
  expect(() => object.setRodata({ label: 'x'.repeat(16) })).toThrow(/has 16 bytes/);
  expect(() => object.setRodata({ label: 1 })).toThrow(/no integer/);
  expect(thrown(() => object.setRodata({ absent: 1 })).code).toBe('ENOENT');
  expect([object.hasRodata('flag'), object.hasRodata('absent')]).toEqual([true, false]);
  object.load();
  expect(thrown(() => object.setRodata({ flag: false })).code).toBe('EBUSY');

  using link = object.program('on_system_call').attach();
  readFileSync('/proc/self/stat');
  using labels = object.map('labels');
  expect(labels.get(Buffer.alloc(4))?.toString()).toBe('hello'.padEnd(16, '\0'));
  using counters = object.map('counters');
  expect(counters.sum(Buffer.alloc(4))).toBeGreaterThan(0n);

  link.close();
  const after = counters.sum(Buffer.alloc(4));
  readFileSync('/proc/self/stat');
  expect(counters.sum(Buffer.alloc(4))).toBe(after);
});

test('maps can be resized and shared before the load', () => {
  using first = openTiny([]);
  first.resizeMap('pairs', 7).load();
  using pairs = first.map('pairs');
  expect(pairs.info).toMatchObject({ name: 'pairs', maxEntries: 7, keySize: 4, valueSize: 16 });

  using second = openTiny([]);
  second.reuseMap('pairs', pairs).load();
  using same = second.map('pairs');
  const key = Buffer.from([1, 0, 0, 0]);
  pairs.set(key, Buffer.alloc(16, 9));
  expect(same.get(key)).toEqual(Buffer.alloc(16, 9));
  expect(thrown(() => first.map('absent')).code).toBe('ENOENT');
});

test('an iterator is read to its end', () => {
  using object = openTiny(['each_task']);
  object.load();
  const written = object.program('each_task').iterate();
  expect(written.length).toBeGreaterThan(8 * 10);
  expect(written.length % 8).toBe(0);
  expect(written.readBigUInt64LE()).toBe(1n);
});

test('what is not loaded cannot be attached', () => {
  using object = openTiny([]);
  object.load();
  expect(thrown(() => object.program('on_system_call').attach()).code).toBe('EINVAL');
  expect(() => object.program('absent')).toThrow(RangeError);
});

test('a cgroup program is attached to a folder or a descriptor, and to nothing else', () => {
  using object = openTiny(['refuse']);
  object.load();
  expect(thrown(() => object.program('refuse').attachCgroup('/nowhere')).code).toBe('ENOENT');
  expect(thrown(() => object.program('refuse').attachCgroup('/tmp')).code).toBe('EBADF');
});

test('types are read from the BTF', () => {
  using object = openTiny([]);
  const pair = object.type('pair');
  expect(pair).toMatchObject({ kind: 'struct', size: 16 });
  expect(pair.fields.map(({ name, bitOffset, type }) => [name, bitOffset / 8, type.size])).toEqual([
    ['number', 0, 4],
    ['small', 4, 2],
    ['bytes', 6, 2],
    ['large', 8, 8],
  ]);
  expect(thrown(() => object.type('absent')).code).toBe('ENOENT');
});
