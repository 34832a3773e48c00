import { join } from 'node:path';
import { BpfObject } from 'node-libbpf';
import { describe, expect, test } from 'vitest';
import { EVENT, LAYOUT } from '../../bpf/events.ts';

const file = join(import.meta.dirname, '..', '..', 'dist', 'bpf', 'maps.bpf.o');
const names = Object.keys(LAYOUT) as (keyof typeof LAYOUT)[];

describe('the offsets in events.ts are those that the compiler chose', () => {
  test.each(names)('%s', (name) => {
    using object = BpfObject.open(file);
    const { size, fields } = object.type(name);
    const offsets = Object.fromEntries(fields.map((field) => [field.name, field.bitOffset / 8]));
    expect({ size, fields: offsets }).toEqual(LAYOUT[name]);
  });
});

test('no struct has hidden padding', () => {
  for (const name of names) {
    using object = BpfObject.open(file);
    const { size, fields } = object.type(name);
    const used = fields.reduce((sum, { type }) => sum + type.size, 0);
    expect([name, used]).toEqual([name, size]);
  }
});

test('every type of event has a counter of its own', () => {
  using object = BpfObject.open(file).load();
  using dropped = object.map('dropped');
  expect(dropped.info.maxEntries).toBe(Math.max(...Object.values(EVENT)) + 1);
});
