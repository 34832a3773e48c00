import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { collectInCalm } from '../../webhook/collect-in-calm.ts';

const MIB = 1024 * 1024;

interface Second {
  /** Share in which the event loop worked. */
  busy: number;
  mib: number;
}

let now: Second;
beforeEach(() => {
  // Not the clock: the second that is over is told by the test.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  vi.spyOn(performance, 'eventLoopUtilization').mockImplementation(() => ({
    idle: 0,
    active: 0,
    utilization: now?.busy ?? 0,
  }));
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** In which seconds it collected, when each collection leaves `left` MiB. */
function collections(seconds: Second[], left = 120): number[] {
  const at: number[] = [];
  let given = 0;
  const end = collectInCalm(
    () => {
      at.push(seconds.indexOf(now));
      given = now.mib - left;
    },
    () => (now.mib - given) * MIB,
  );
  for (now of seconds) vi.advanceTimersByTime(1000);
  end();
  vi.advanceTimersByTime(10_000);
  return at;
}

const storm = (mib: number): Second[] => Array.from({ length: 3 }, () => ({ busy: 0.9, mib }));
const calm = (mib: number, length = 40): Second[] => Array.from({ length }, () => ({ busy: 0.02, mib }));

test('after half a minute of calm, once', () => {
  expect(collections([...storm(250), ...calm(250)])).toEqual([32]);
});

test('not while the storm goes on in waves', () => {
  const waves = Array.from({ length: 120 }, (_, at) => ({ busy: at % 29 ? 0.02 : 0.9, mib: 250 }));
  expect(collections(waves)).toEqual([]);
});

test('not where little is resident', () => {
  expect(collections([...storm(149), ...calm(149, 60)])).toEqual([]);
});

test('not again and again where much has to stay', () => {
  expect(collections([...storm(400), ...calm(400, 90)], 380)).toEqual([32]);
});

test('again after the next storm', () => {
  expect(collections([...storm(250), ...calm(250), ...storm(400), ...calm(400)])).toEqual([32, 75]);
});
