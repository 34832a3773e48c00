import { expect, it } from 'vitest';
import { RandomxDetector } from '../../runtime/detectors/randomx.ts';

const DOWN = 0x3f80;
const NEAREST = 0x1f80;

/** Samples once a second for so long; how often it was reported. */
function watch(detector: RandomxDetector, seconds: number[], mxcsr: (second: number) => number): number {
  return seconds.filter((second) => detector.sample(7, 1, second * 1e9, mxcsr(second), 3).length > 0).length;
}
const range = (length: number) => Array.from({ length }, (_, second) => second);

it('reports a process whose rounding mode stays changed, once', () => {
  expect(watch(new RandomxDetector(), range(60), () => DOWN)).toBe(1);
});

it('reports one that uses the default mode in between, as RandomX does a quarter of its time', () => {
  expect(watch(new RandomxDetector(), range(60), (second) => (second % 4 === 0 ? NEAREST : DOWN))).toBe(1);
});

it('says nothing about the default mode, and about now and then', () => {
  expect(watch(new RandomxDetector(), range(600), () => NEAREST)).toBe(0);
  expect(
    watch(
      new RandomxDetector(),
      range(600).filter((second) => second % 10 === 0),
      () => DOWN,
    ),
  ).toBe(0);
});

it('tells processes apart', () => {
  const detector = new RandomxDetector();
  const reports = range(9).flatMap((second) =>
    [1, 2, 3].flatMap((pid) => detector.sample(pid, 1, second * 1e9, DOWN, 3)),
  );
  expect(reports).toEqual([]);
});
