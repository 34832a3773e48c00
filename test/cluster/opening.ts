interface Closable {
  close(): Promise<void>;
}

/**
 * What a `beforeAll` opens and an `afterAll` closes. A hook that has timed out does not end what it began: that goes on,
 * and would leave a cluster behind that nobody knows of. So closing waits for it.
 */
export class Opening<T extends Closable> {
  #opened: Promise<T> | undefined;

  /** Rejects as `make` does, which has to take away what it made until then. */
  open(make: () => Promise<T>): Promise<T> {
    this.#opened = make();
    return this.#opened;
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    await opened?.close();
  }
}
