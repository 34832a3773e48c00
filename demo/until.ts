/** How long the story waits for anything, milliseconds. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 5;

/** Reads until what was read is right. Throws an Error that names `what` when that takes too long. */
export async function until<T>(
  what: string,
  read: () => Promise<T | undefined>,
  isRight: (value: T) => boolean = () => true,
): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const value = await read();
    if (value !== undefined && isRight(value)) return value;
    if (performance.now() > deadline) throw new Error(`no ${what} within ${PATIENCE_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
