import { expect, test } from 'vitest';
import { Opening } from './opening.ts';

const nothing = { close: async () => {} };

test('a scene whose set-up timed out is closed once it is up', async () => {
  const { promise, resolve } = Promise.withResolvers<typeof nothing>();
  const opening = new Opening<typeof nothing>();
  const opened = opening.open(() => promise);
  // The hook is given up here, and afterAll runs.
  const closed = opening.close();
  let closings = 0;
  resolve({ close: async () => void closings++ });
  await closed;
  expect(closings).toBe(1);
  await opened;
});

test('a scene that could not be opened has nothing to close, nor has one that was never asked for', async () => {
  const opening = new Opening<typeof nothing>();
  await opening.close();
  await expect(opening.open(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await opening.close();
});
