import { readFileSync } from 'node:fs';

/**
 * Turns times of the kernel (nanoseconds after boot, suspend included) into milliseconds since 1970. /proc/uptime is
 * exact to 10 ms; events make it better, since none can come before it happened.
 */
export class KernelClock {
  readonly #now: () => number;
  #boot: number;

  constructor(now: () => number, procRoot: string) {
    this.#now = now;
    const uptime = Number.parseFloat(readFileSync(`${procRoot}/uptime`, 'utf8'));
    this.#boot = now() - uptime * 1000 + 10;
  }

  epoch(ktime: number): number {
    const boot = this.#now() - ktime / 1e6;
    // A jump means that the wall clock was set.
    if (boot < this.#boot || boot > this.#boot + 60_000) this.#boot = boot;
    return this.#boot + ktime / 1e6;
  }
}
