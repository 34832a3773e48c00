import type { Readable } from 'node:stream';

/** A request's body. When it is not complete, `bytes` is its beginning only. */
export interface Body {
  bytes: Buffer;
  /** too-large: over the limit of the route. overloaded: over what all requests together may hold. */
  end: 'complete' | 'too-large' | 'overloaded';
}

/** Of a body that is refused, this much is kept: enough to find whom to answer. */
const BEGINNING = 64 * 1024;

/** Bounds the memory that bodies hold which are still arriving or waiting. */
export class BodyBudget {
  readonly #limit: number;
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  take(bytes: number): boolean {
    if (this.#held + bytes > this.#limit) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}

/**
 * Reads a body of at most `limit` bytes. What comes on top is received and thrown away, so that the client, which is
 * still sending, gets the answer instead of a reset; the server's requestTimeout bounds for how long.
 * Rejects when the client goes away.
 */
export function readBody(stream: Readable, limit: number, budget: BodyBudget): Promise<Body> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let length = 0;
    const settle = (end: Body['end']) => {
      budget.give(length);
      stream.off('data', receive).off('end', complete).off('close', closed);
      const [first = Buffer.alloc(0)] = chunks;
      const bytes = chunks.length > 1 ? Buffer.concat(chunks) : first;
      chunks = [];
      resolve({ bytes: end === 'complete' ? bytes : Buffer.from(bytes.subarray(0, BEGINNING)), end });
      stream.resume();
    };
    const receive = (chunk: Buffer) => {
      const affordable = budget.take(chunk.length);
      if (affordable) length += chunk.length;
      if (chunks.length === 0 || affordable) chunks.push(chunk);
      if (!affordable) settle('overloaded');
      else if (length > limit) settle('too-large');
    };
    const complete = () => settle('complete');
    const closed = () => {
      budget.give(length);
      chunks = [];
      reject(new Error('The client closed the connection before the body was complete.'));
    };
    stream.on('data', receive).on('end', complete).on('close', closed);
    // An error is followed by close.
    stream.on('error', () => {});
  });
}
