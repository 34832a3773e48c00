import { LRUCache } from 'lru-cache';
import type { Finding } from '../../api/finding.ts';
import { finding } from '../signal.ts';

/** Ten seconds of changed rounding, with pauses of at most five seconds: no library does that by accident. */
const EVENTS = 10;
const PAUSE_NS = 5e9;

/** Bits 13 and 14 of MXCSR (Intel SDM vol. 1, 10.2.3.1). */
const ROUNDING = 0x6000;

/**
 * Recognises RandomX by its floating-point rounding: three quarters of its time the mode is not the default.
 * Events come once a second and process at most, and only while the mode is changed.
 */
export class RandomxDetector {
  readonly #streaks = new LRUCache<string, { count: number; last: number; samples: number }>({ max: 4096 });

  /** `ktime` in nanoseconds after boot. The finding comes once a streak. */
  sample(pid: number, start: number, ktime: number, mxcsr: number, samples: number): Finding[] {
    if ((mxcsr & ROUNDING) === 0) return [];
    const key = `${pid}:${start}`;
    const before = this.#streaks.get(key);
    const goesOn = before !== undefined && ktime - before.last <= PAUSE_NS;
    const streak = {
      count: (goesOn ? before.count : 0) + 1,
      last: ktime,
      samples: (goesOn ? before.samples : 0) + samples,
    };
    this.#streaks.set(key, streak);
    if (streak.count !== EVENTS) return [];
    return [
      finding(
        'randomx-rounding',
        'fpu',
        `Its rounding mode was found changed ${streak.samples} times in ${streak.count} seconds.`,
      ),
    ];
  }
}
