import { expect, test } from 'vitest';
import { Batch } from '../../webhook/batch.ts';

test('what arrives in one turn begins in order, at its end', async () => {
  const batch = new Batch();
  const begun: number[] = [];
  const all = [1, 2, 3].map((number) => batch.run(() => begun.push(number)));
  expect(begun).toEqual([]);
  expect(await Promise.all(all)).toEqual([1, 2, 3]);
  expect(begun).toEqual([1, 2, 3]);
});

test('one that fails, at once or later, fails alone', async () => {
  const batch = new Batch();
  const answers = await Promise.allSettled([
    batch.run(() => {
      throw new Error('at once');
    }),
    batch.run(() => Promise.reject(new Error('later'))),
    batch.run(() => 'answer'),
    batch.run(async () => 'answer later'),
  ]);
  expect(answers).toEqual([
    { status: 'rejected', reason: new Error('at once') },
    { status: 'rejected', reason: new Error('later') },
    { status: 'fulfilled', value: 'answer' },
    { status: 'fulfilled', value: 'answer later' },
  ]);
});

test('what one of a batch asks for is of the next', async () => {
  const batch = new Batch();
  expect(await batch.run(() => batch.run(() => 'inner'))).toBe('inner');
});
