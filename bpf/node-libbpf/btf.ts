import type { Codec } from './codec.ts';
import { type Handle, type NativeBtfType, native } from './native.ts';

export interface BtfField {
  name: string;
  /** Bits from the start of the struct. */
  bitOffset: number;
  /** Bits of a bit field; 0 for an ordinary member. */
  bitSize: number;
  type: BtfType;
}

/** A C type as BTF has it, qualifiers and typedefs removed. Pointers are not followed. */
export interface BtfType {
  kind: NativeBtfType['kind'];
  /** Empty for anonymous types. */
  name: string;
  /** Bytes. */
  size: number;
  signed: boolean;
  /** Of a struct or union. */
  fields: BtfField[];
  /** Of an array. */
  element?: BtfType;
  length: number;
}

export function resolveType(object: Handle, id: number): BtfType {
  const { kind, name, size, signed, fields, elementId, length } = native.objectBtfById(object, id);
  return {
    kind,
    name,
    size,
    signed,
    length,
    fields: fields.map((field) => ({
      name: field.name,
      bitOffset: field.bitOffset,
      bitSize: field.bitSize,
      type: resolveType(object, field.typeId),
    })),
    ...(kind === 'array' && { element: resolveType(object, elementId) }),
  };
}

/**
 * A codec by BTF: integers and enums up to 4 bytes are numbers, of 8 bytes bigints, structs are records by member name,
 * arrays of one-byte integers are `Uint8Array`, other arrays are arrays. Unions and bit fields are not supported.
 */
export function structCodec(type: BtfType): Codec<unknown> {
  switch (type.kind) {
    case 'int':
    case 'enum':
    case 'pointer':
      return integerCodec(type);
    case 'struct':
      return recordCodec(type);
    case 'array':
      return arrayCodec(type);
    default:
      throw new TypeError(`BTF type ${type.name || type.kind} has no codec.`);
  }
}

function integerCodec({ size, signed }: BtfType): Codec<unknown> {
  if (size === 8) {
    return {
      size,
      encode: (value, into) =>
        void into.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value as number | bigint))),
      decode: (from) => (signed ? from.readBigInt64LE() : from.readBigUInt64LE()),
    };
  }
  return {
    size,
    encode: (value, into) =>
      void (signed ? into.writeIntLE(Number(value), 0, size) : into.writeUIntLE(Number(value), 0, size)),
    decode: (from) => (signed ? from.readIntLE(0, size) : from.readUIntLE(0, size)),
  };
}

function recordCodec(type: BtfType): Codec<unknown> {
  const fields = type.fields.map(({ name, bitOffset, bitSize, type: of }) => {
    if (bitSize !== 0) throw new TypeError(`Bit field ${type.name}.${name} has no codec.`);
    return { name, start: bitOffset / 8, end: bitOffset / 8 + of.size, codec: structCodec(of) };
  });
  return {
    size: type.size,
    encode: (value, into) => {
      into.fill(0);
      for (const { name, start, end, codec } of fields) {
        codec.encode((value as Record<string, unknown>)[name], into.subarray(start, end));
      }
    },
    decode: (from) =>
      Object.fromEntries(
        fields.map(({ name, start, end, codec }) => [name, codec.decode(from.subarray(start, end))]),
      ),
  };
}

function arrayCodec({ size, element, length }: BtfType): Codec<unknown> {
  if (!element) throw new TypeError('An array without an element type has no codec.');
  if (element.kind === 'int' && element.size === 1) {
    return {
      size,
      encode: (value, into) => void into.set(value as Uint8Array),
      decode: (from) => Buffer.from(from),
    };
  }
  const codec = structCodec(element);
  const part = (whole: Buffer, at: number) => whole.subarray(at * codec.size, (at + 1) * codec.size);
  return {
    size,
    encode: (value, into) => {
      for (let at = 0; at < length; at++) codec.encode((value as unknown[])[at], part(into, at));
    },
    decode: (from) => Array.from({ length }, (_, at) => codec.decode(part(from, at))),
  };
}
