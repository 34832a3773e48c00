import { endianness } from 'node:os';

/** How a value of `T` lies in the memory of a map: exactly `size` bytes, in the byte order of this machine. */
export interface Codec<T> {
  readonly size: number;
  encode(value: T, into: Buffer): void;
  decode(from: Buffer): T;
}

if (endianness() !== 'LE') throw new Error('node-libbpf supports little-endian machines only.');

export const u8: Codec<number> = {
  size: 1,
  encode: (value, into) => void into.writeUInt8(value),
  decode: (from) => from.readUInt8(),
};

export const u16: Codec<number> = {
  size: 2,
  encode: (value, into) => void into.writeUInt16LE(value),
  decode: (from) => from.readUInt16LE(),
};

export const u32: Codec<number> = {
  size: 4,
  encode: (value, into) => void into.writeUInt32LE(value),
  decode: (from) => from.readUInt32LE(),
};

export const u64: Codec<bigint> = {
  size: 8,
  encode: (value, into) => void into.writeBigUInt64LE(value),
  decode: (from) => from.readBigUInt64LE(),
};

/** `size` bytes as they are. */
export const bytes = (size: number): Codec<Uint8Array> => ({
  size,
  encode: (value, into) => {
    if (value.length !== size) throw new RangeError(`Expected ${size} bytes, got ${value.length}.`);
    into.set(value);
  },
  decode: (from) => Buffer.from(from),
});

/** A NUL-terminated UTF-8 string in `size` bytes, padded with zeroes. */
export const text = (size: number): Codec<string> => ({
  size,
  encode: (value, into) => {
    if (Buffer.byteLength(value) >= size) {
      throw new RangeError(`The string is longer than ${size - 1} bytes.`);
    }
    into.fill(0);
    into.write(value);
  },
  decode: (from) => {
    const end = from.indexOf(0);
    return from.toString('utf8', 0, end === -1 ? from.length : end);
  },
});
