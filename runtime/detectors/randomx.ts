import { LRUCache } from 'lru-cache';
import type { Finding } from '../../api/finding.ts';
import { HOST } from '../containers.ts';
import type { Forgetful, Gone } from '../departures.ts';
import type { Process } from '../processes.ts';
import { finding } from '../signal.ts';

/** Eight seconds of the last sixty with a changed rounding: no library does that by accident. */
const SECONDS = 8;
const WINDOW = 60;

/** Bits 13 and 14 of MXCSR (Intel SDM vol. 1, 10.2.3.1). */
const ROUNDING = 0x6000;

/** When the rounding of one container was found changed: seconds after boot, each once, oldest first; and how often. */
interface Course {
  seconds: number[];
  samples: number;
  isReported: boolean;
}

/**
 * Recognises RandomX by its floating-point rounding: three quarters of its time the mode is not the default.
 * Events come once a second and process at most, and only while the mode is changed. They are counted by container,
 * since a miner may rest, and hand its work to a new process every few seconds; on the node itself by program.
 */
export class RandomxDetector implements Forgetful {
  readonly #courses = new LRUCache<string, Course>({ max: 4096 });

  /** `ktime` in nanoseconds after boot. The finding comes once, until the container has been quiet for a minute. */
  sample({ container, image }: Process, ktime: number, mxcsr: number, samples: number): Finding[] {
    if ((mxcsr & ROUNDING) === 0) return [];
    const second = Math.floor(ktime / 1e9);
    const course = this.#courseOf(container === HOST ? image.exe : container.cgroup, second);
    course.samples += samples;
    if (course.seconds.at(-1) !== second) course.seconds.push(second);
    if (course.seconds.length < SECONDS || course.isReported) return [];
    course.isReported = true;
    const message = `Its rounding mode was found changed ${course.samples} times, in ${course.seconds.length} of ${second - (course.seconds[0] ?? 0) + 1} seconds.`;
    return [finding('randomx-rounding', 'fpu', message)];
  }

  forget({ path }: Gone, isGone: boolean): void {
    if (isGone) this.#courses.delete(path);
  }

  #courseOf(key: string, second: number): Course {
    const known = this.#courses.get(key);
    const seconds = known?.seconds.filter((before) => second - before < WINDOW) ?? [];
    if (known && seconds.length > 0) {
      known.seconds = seconds;
      return known;
    }
    const course = { seconds, samples: 0, isReported: false };
    this.#courses.set(key, course);
    return course;
  }
}
