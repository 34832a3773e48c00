import type { Codec } from './codec.ts';
import { type Handle, native } from './native.ts';

export interface MapInfo {
  name: string;
  /** `enum bpf_map_type` of linux/bpf.h. */
  type: number;
  /** Bytes. */
  keySize: number;
  /** Bytes of one value; a per-CPU map holds one a CPU, see `valueBytes`. */
  valueSize: number;
  maxEntries: number;
}

export const MAP_TYPE = {
  hash: 1,
  array: 2,
  percpuHash: 5,
  percpuArray: 6,
  lruHash: 9,
  lruPercpuHash: 10,
  lpmTrie: 11,
  ringbuf: 27,
} as const;

const PER_CPU: number[] = [MAP_TYPE.percpuHash, MAP_TYPE.percpuArray, MAP_TYPE.lruPercpuHash];

/** What `set` does with a key that is there or is not. */
export const SET_FLAGS = { any: 0, create: 1, replace: 2 } as const;

/** An eBPF map, by bytes. It holds its own descriptor and outlives the object that it came from. */
export class BpfMap implements Disposable {
  readonly info: MapInfo;
  /** Bytes of what `get` returns: of one value, or in a per-CPU map of all of them, each rounded up to 8 bytes. */
  readonly valueBytes: number;
  /** For the binding's own use. */
  readonly handle: Handle;

  /** Made by `BpfObject.map` and `BpfMap.create`. */
  constructor(handle: Handle) {
    this.handle = handle;
    this.info = native.mapInfo(handle);
    this.valueBytes = PER_CPU.includes(this.info.type)
      ? native.possibleCpus() * Math.ceil(this.info.valueSize / 8) * 8
      : this.info.valueSize;
  }

  /** A map of no object. Sizes in bytes; `flags` are BPF_F_* of linux/bpf.h. */
  static create(options: {
    type: keyof typeof MAP_TYPE;
    name?: string;
    keySize: number;
    valueSize: number;
    maxEntries: number;
    flags?: number;
  }): BpfMap {
    const { type, name = '', keySize, valueSize, maxEntries, flags = 0 } = options;
    return new BpfMap(native.mapCreate(MAP_TYPE[type], name, keySize, valueSize, maxEntries, flags));
  }

  get(key: Uint8Array): Buffer | undefined {
    return native.mapGet(this.handle, key);
  }

  set(key: Uint8Array, value: Uint8Array, mode: keyof typeof SET_FLAGS = 'any'): void {
    native.mapSet(this.handle, key, value, SET_FLAGS[mode]);
  }

  /** Whether the key was there. */
  delete(key: Uint8Array): boolean {
    return native.mapDelete(this.handle, key);
  }

  /** Keys one by one, safe under deletion of the key at hand. A map that changes meanwhile may repeat or miss keys. */
  *keys(): Generator<Buffer> {
    let key = native.mapNextKey(this.handle, undefined);
    while (key !== undefined) {
      const next = native.mapNextKey(this.handle, key);
      yield key;
      key = next;
    }
  }

  /** All entries, read at once: in batches where the kernel can for this map type, else key by key. */
  entries(): [key: Buffer, value: Buffer][] {
    const { keys, values, count } = native.mapReadAll(this.handle);
    const { keySize } = this.info;
    return Array.from({ length: count }, (_, at) => [
      keys.subarray(at * keySize, (at + 1) * keySize),
      values.subarray(at * this.valueBytes, (at + 1) * this.valueBytes),
    ]);
  }

  /** The value of each CPU in what `get` or `entries` of a per-CPU map returned. */
  perCpu(value: Buffer): Buffer[] {
    const stride = Math.ceil(this.info.valueSize / 8) * 8;
    return Array.from({ length: value.length / stride }, (_, cpu) =>
      value.subarray(cpu * stride, cpu * stride + this.info.valueSize),
    );
  }

  /** The sum over all CPUs of a per-CPU map of u64 counters. 0n where the key is absent. */
  sum(key: Uint8Array): bigint {
    const value = this.get(key);
    if (value === undefined) return 0n;
    return this.perCpu(value).reduce((sum, one) => sum + one.readBigUInt64LE(), 0n);
  }

  typed<K, V>(key: Codec<K>, value: Codec<V>): TypedMap<K, V> {
    return new TypedMap(this, key, value);
  }

  get closed(): boolean {
    return native.isClosed(this.handle);
  }

  close(): void {
    native.close(this.handle);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A map through codecs. It shares the `BpfMap` that it was made from. */
export class TypedMap<K, V> {
  readonly raw: BpfMap;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;

  constructor(raw: BpfMap, key: Codec<K>, value: Codec<V>) {
    const { name, keySize, valueSize } = raw.info;
    if (key.size !== keySize || value.size !== valueSize) {
      throw new RangeError(
        `Map ${name} has keys of ${keySize} and values of ${valueSize} bytes; the codecs have ${key.size} and ${value.size}.`,
      );
    }
    this.raw = raw;
    this.#key = key;
    this.#value = value;
  }

  get(key: K): V | undefined {
    const value = this.raw.get(encoded(this.#key, key));
    return value && this.#value.decode(value);
  }

  set(key: K, value: V): void {
    this.raw.set(encoded(this.#key, key), encoded(this.#value, value));
  }

  delete(key: K): boolean {
    return this.raw.delete(encoded(this.#key, key));
  }

  *keys(): Generator<K> {
    for (const key of this.raw.keys()) yield this.#key.decode(key);
  }

  entries(): [key: K, value: V][] {
    return this.raw.entries().map(([key, value]) => [this.#key.decode(key), this.#value.decode(value)]);
  }
}

function encoded<T>(codec: Codec<T>, value: T): Buffer {
  const buffer = Buffer.alloc(codec.size);
  codec.encode(value, buffer);
  return buffer;
}
