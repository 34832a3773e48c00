/** Lets so many things happen at a time; the rest wait in order, up to a bound. */
export class Limiter {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  readonly #queue: number;
  #running = 0;

  /** `most` at a time, `queue` waiting. */
  constructor(most: number, queue: number = Number.POSITIVE_INFINITY) {
    this.#most = most;
    this.#queue = queue;
  }

  /** Whether one more would have to be turned away. */
  get isFull(): boolean {
    return this.#running >= this.#most && this.#waiting.length >= this.#queue;
  }

  get isIdle(): boolean {
    return this.#running === 0;
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
    try {
      return await act();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
