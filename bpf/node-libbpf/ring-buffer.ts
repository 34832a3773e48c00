import type { BpfMap } from './map.ts';
import { type Handle, native } from './native.ts';

/** Bytes before each record in the slab: its length as u32, then 4 bytes without meaning. */
export const RECORD_HEADER = 8;

export interface RingBufferOptions {
  /**
   * The slab: records are copied here and the callback reads them in place. Yours to keep; its content is good until
   * the callback returns. It must hold the largest record, so many KiB at least; 256 KiB to 1 MiB is a good size.
   */
  buffer: Uint8Array;
  /**
   * Called with each batch, at most one slab full a turn of the event loop, so that nothing else starves.
   * `count` records lie in the first `bytes` bytes of the slab, each as header (RECORD_HEADER), data, and padding
   * up to a multiple of 8. Without it the ring is read by `drain()` alone.
   */
  onBatch?: (count: number, bytes: number) => void;
}

/**
 * The consumer of a BPF_MAP_TYPE_RINGBUF map; there must be only one. A ring with `onBatch` keeps itself and the
 * process alive until it is closed (see `unref`); one without is closed by the garbage collector at the latest.
 */
export class RingBuffer implements Disposable {
  readonly #handle: Handle;

  constructor(map: BpfMap, options: RingBufferOptions) {
    const { buffer, onBatch } = options;
    // The callback holds `this`: what delivers events is not garbage.
    const deliver =
      onBatch && ((count: number, bytes: number): void => void (this.#handle && onBatch(count, bytes)));
    this.#handle = native.ringOpen(map.handle, buffer, deliver);
  }

  /** Copies what is there into the slab, up to its size; does not call `onBatch`. Zero records: nothing was there. */
  drain(): { count: number; bytes: number } {
    return native.ringDrain(this.#handle);
  }

  /** Bytes that the kernel has produced and nobody has read yet. */
  get available(): number {
    return native.ringAvailable(this.#handle);
  }

  /** Lets the process end although the ring is open. */
  unref(): this {
    native.ringRef(this.#handle, false);
    return this;
  }

  ref(): this {
    native.ringRef(this.#handle, true);
    return this;
  }

  get closed(): boolean {
    return native.isClosed(this.#handle);
  }

  /** No `onBatch` is called after this. */
  close(): void {
    native.close(this.#handle);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
