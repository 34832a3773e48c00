import { type Handle, native } from './native.ts';

/** A program attached to its hook. Closing it detaches the program; so does the end of this process. */
export class Link implements Disposable {
  readonly program: string;
  readonly #handle: Handle;

  /** Made by `Program.attach` and `Program.attachCgroup`. */
  constructor(handle: Handle, program: string) {
    this.#handle = handle;
    this.program = program;
  }

  get closed(): boolean {
    return native.isClosed(this.#handle);
  }

  close(): void {
    native.close(this.#handle);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
