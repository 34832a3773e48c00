import type { BpfMap } from 'node-libbpf';

/** Who made a process. */
export interface Birth {
  /** Tgid of the maker, and when that one started: nanoseconds since boot. */
  ppid: number;
  parentStartTime: number;
}

/** Offsets of struct birth in emit.h. */
const START = 0;
const PARENT_START = 8;
const PPID = 16;

/** What the kernel remembers of the births of processes; those of the last tens of thousands. */
export class Births {
  readonly #map: BpfMap;
  readonly #key = Buffer.alloc(4);

  constructor(map: BpfMap) {
    this.#map = map;
  }

  /** Of the process `tgid` that started at `startTime`; undefined when it is forgotten, or older than the programs. */
  of(tgid: number, startTime: number): Birth | undefined {
    this.#key.writeUInt32LE(tgid);
    const found = this.#map.get(this.#key);
    if (!found || Number(found.readBigUInt64LE(START)) !== startTime) return undefined;
    return {
      ppid: found.readUInt32LE(PPID),
      parentStartTime: Number(found.readBigUInt64LE(PARENT_START)),
    };
  }
}
