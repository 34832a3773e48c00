/**
 * What was in use in the heap after each full collection, read from the lines of `--trace-gc`, which tells of those that
 * happen anyway: nothing is collected for the sake of the measurement.
 */
export class Collections {
  /** `minutes` as the clock tells when the line comes. */
  readonly inUse: [minutes: number, mib: number][] = [];
  readonly #minutes: () => number;

  constructor(minutes: () => number) {
    this.#minutes = minutes;
  }

  /** For every line that the agent prints. */
  readonly note = (line: string): void => {
    const used = /: Mark-Compact .*? \([\d.]+\) -> ([\d.]+) \(/.exec(line)?.[1];
    if (used !== undefined) this.inUse.push([this.#minutes(), Number(used)]);
  };
}
