/** Lets so many things happen at a time; the rest wait in order, up to a bound. */
export class Limiter {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  readonly #queue: number;
  readonly #rest: (tookMs: number) => number;
  #running = 0;

  /**
   * `most` at a time, `queue` waiting. After something that took so long, its place stays empty for `rest` milliseconds;
   * whoever waits for the result does not wait for that.
   */
  constructor(
    most: number,
    queue: number = Number.POSITIVE_INFINITY,
    rest: (tookMs: number) => number = () => 0,
  ) {
    this.#most = most;
    this.#queue = queue;
    this.#rest = rest;
  }

  /** Whether one more would have to be turned away. */
  get isFull(): boolean {
    return this.#running >= this.#most && this.#waiting.length >= this.#queue;
  }

  get isIdle(): boolean {
    return this.#running === 0;
  }

  get isWaitedFor(): boolean {
    return this.#waiting.length > 0;
  }

  /** Runs `act` when it is its turn; an urgent one is the next. Ask `isFull` first: this one always waits. */
  async run<T>(act: () => Promise<T>, urgent = false): Promise<T> {
    if (this.#running < this.#most) this.#running++;
    else {
      await new Promise<void>((resolve) => {
        if (urgent) this.#waiting.unshift(resolve);
        else this.#waiting.push(resolve);
      });
    }
    const began = performance.now();
    try {
      return await act();
    } finally {
      const rest = this.#rest(performance.now() - began);
      if (rest > 0) setTimeout(() => this.#release(), rest).unref();
      else this.#release();
    }
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running--;
  }
}

const LONGEST_REST_MS = 1_000;

/**
 * Leaves an API server as much time as it took where that was longer than `busyMs`: what is held back here would queue up
 * there, before what others wait for.
 */
export function restAfter(busyMs: number): (tookMs: number) => number {
  return (tookMs) => (tookMs < busyMs ? 0 : Math.min(tookMs, LONGEST_REST_MS));
}
