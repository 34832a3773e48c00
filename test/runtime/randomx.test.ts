import { expect, it } from 'vitest';
import { RandomxDetector } from '../../runtime/detectors/randomx.ts';
import { sampleContainer, sampleProcess } from './sample-process.ts';

const DOWN = 0x3f80;
const NEAREST = 0x1f80;

/** Samples once a second for so long; how often it was reported. */
function watch(detector: RandomxDetector, seconds: number[], mxcsr: (second: number) => number): number {
  const process = sampleProcess(['web']);
  return seconds.filter((second) => detector.sample(process, second * 1e9, mxcsr(second), 3).length > 0)
    .length;
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

it('tells containers apart', () => {
  const detector = new RandomxDetector();
  const processes = [1, 2, 3].map((n) =>
    sampleProcess(['web'], { container: sampleContainer(`/kubepods/podx/${n}`) }),
  );
  const reports = range(7).flatMap((second) =>
    processes.flatMap((process) => detector.sample(process, second * 1e9, DOWN, 3)),
  );
  expect(reports).toEqual([]);
});

it('sees a miner that hands its work to a new process every few seconds, and rests in between', () => {
  const detector = new RandomxDetector();
  const reports = range(60)
    .filter((second) => second % 5 === 0)
    .flatMap((second) => detector.sample(sampleProcess(['web']), second * 1e9, DOWN, 3));
  expect(reports).toMatchObject([{ rule: 'randomx-rounding' }]);
});

it('counts a second once, however many processes share it', () => {
  const detector = new RandomxDetector();
  const reports = range(100).flatMap(() => detector.sample(sampleProcess(['web']), 5e9, DOWN, 3));
  expect(reports).toEqual([]);
});
