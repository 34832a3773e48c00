import type { BpfMap } from 'node-libbpf';

/** The same bits as `enum known` in fingerprint.h. */
const QUIET = 1;
const FOLD = 2;

/** What user space tells the kernel about execs that it has judged. */
export class KnownExecs {
  readonly #map: BpfMap;
  readonly #key = Buffer.alloc(8);
  readonly #value = Buffer.alloc(4);

  constructor(map: BpfMap) {
    this.#map = map;
  }

  /** Nobody has to be woken for the next one that is the same; `mayFold`: nor see it, where there are too many. */
  add(fingerprint: bigint, mayFold: boolean): void {
    this.#key.writeBigUInt64LE(fingerprint);
    this.#value.writeUInt32LE(mayFold ? QUIET | FOLD : QUIET);
    this.#map.set(this.#key, this.#value);
  }
}
