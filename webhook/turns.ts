import { Limiter } from './limiter.ts';

/** One thing at a time for each key, the others in order behind it; keys do not wait for each other. */
export class Turns {
  readonly #limiters = new Map<string, Limiter>();

  /** Whether something about the key is under way or waits for its turn. */
  isTaken(key: string): boolean {
    return this.#limiters.has(key);
  }

  /** Whether somebody waits until what is under way is done. */
  isWaitedFor(key: string): boolean {
    return this.#limiters.get(key)?.isWaitedFor ?? false;
  }

  async run<T>(key: string, act: () => Promise<T>): Promise<T> {
    const limiter = this.#limiters.get(key) ?? new Limiter(1);
    this.#limiters.set(key, limiter);
    try {
      return await limiter.run(act);
    } finally {
      if (limiter.isIdle) this.#limiters.delete(key);
    }
  }
}
