/**
 * libbpf for Node.js: open, load and attach eBPF programs, use their maps, drain their ring buffers.
 *
 * Lifetime: objects, maps, links and rings are closed exactly once, by `close()`, by `using`, or when they are
 * garbage collected; closing twice is harmless and use after closing throws `BpfError` EBADF.
 * Closing an object does not close the links, maps and rings that were taken from it.
 * Everything is synchronous (the calls take microseconds; `load()` takes milliseconds) and may be used in workers.
 */
export type { BtfField, BtfType } from './btf.ts';
export { structCodec } from './btf.ts';
export { bytes, type Codec, text, u8, u16, u32, u64 } from './codec.ts';
export { BpfError } from './error.ts';
export { Link } from './link.ts';
export { BpfMap, type MapInfo, TypedMap } from './map.ts';
export { BpfObject, type OpenOptions, type RodataValue } from './object.ts';
export * as probe from './probe.ts';
export { Program, type RunResult } from './program.ts';
export { RECORD_HEADER, RingBuffer, type RingBufferOptions } from './ring-buffer.ts';
