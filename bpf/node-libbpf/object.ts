import { type BtfType, resolveType, structCodec } from './btf.ts';
import { BpfError } from './error.ts';
import type { Link } from './link.ts';
import { BpfMap, type TypedMap } from './map.ts';
import { type Handle, native } from './native.ts';
import { Program } from './program.ts';

export interface OpenOptions {
  /** Name that `bpftool` shows; for a file its base name unless given. */
  name?: string;
}

/** A number, bigint or boolean for an integer variable; a string (NUL added) or the exact bytes for anything else. */
export type RodataValue = number | bigint | boolean | string | Uint8Array;

/**
 * One compiled eBPF object. The order of use: open, settings (`setRodata`, `autoload`, `resizeMap`, `reuseMap`),
 * `load`, then attach programs and use maps.
 */
export class BpfObject implements Disposable {
  readonly programs: ReadonlyMap<string, Program>;
  readonly #handle: Handle;

  private constructor(handle: Handle) {
    this.#handle = handle;
    this.programs = new Map(
      native
        .objectPrograms(handle)
        .map(({ name, section, autoload }) => [name, new Program(handle, name, section, autoload)]),
    );
  }

  /** Reads an ELF file, or its bytes. Nothing reaches the kernel yet. */
  static open(source: string | Uint8Array, options: OpenOptions = {}): BpfObject {
    return new BpfObject(native.objectOpen(source, options.name));
  }

  program(name: string): Program {
    const program = this.programs.get(name);
    if (!program) {
      throw new RangeError(`There is no program ${name}; there are ${[...this.programs.keys()].join(', ')}.`);
    }
    return program;
  }

  /** Sets `const volatile` globals, by name. Before the load only. */
  setRodata(values: Record<string, RodataValue>): this {
    for (const [name, value] of Object.entries(values)) {
      const { offset, size } = native.objectVariable(this.#handle, '.rodata', name);
      native.objectWriteInitial(this.#handle, '.rodata', offset, rodataBytes(name, value, size));
    }
    return this;
  }

  /** Whether there is a `const volatile` global of this name. */
  hasRodata(name: string): boolean {
    try {
      native.objectVariable(this.#handle, '.rodata', name);
      return true;
    } catch (error) {
      if (error instanceof BpfError && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  /** Before the load only. */
  resizeMap(name: string, maxEntries: number): this {
    native.objectResizeMap(this.#handle, name, maxEntries);
    return this;
  }

  /** Makes the object use a map that exists already, so that several objects share it. Before the load only. */
  reuseMap(name: string, map: BpfMap): this {
    native.objectReuseMap(this.#handle, name, map.handle);
    return this;
  }

  /** Creates the maps and loads the programs whose `autoload` is on. The error's `log` has the verifier's words. */
  load(): this {
    native.objectLoad(this.#handle);
    return this;
  }

  /** Attaches every loaded program whose section names its hook; closes what it attached if one of them fails. */
  attach(): Link[] {
    const links: Link[] = [];
    try {
      for (const program of this.programs.values()) {
        if (program.autoload && !/^(cgroup|iter)/.test(program.section)) links.push(program.attach());
      }
      return links;
    } catch (error) {
      for (const link of links) link.close();
      throw error;
    }
  }

  get mapNames(): string[] {
    return native.objectMaps(this.#handle).map(({ name }) => name);
  }

  /** A map of the object, after the load. */
  map(name: string): BpfMap {
    return new BpfMap(native.objectMap(this.#handle, name));
  }

  /** A map whose keys and values are integers or records by the BTF that the object carries. */
  typedMap(name: string): TypedMap<unknown, unknown> {
    const map = this.map(name);
    const info = native.objectMaps(this.#handle).find((one) => one.name === name);
    const codec = (id: number | undefined) => structCodec(resolveType(this.#handle, id ?? 0));
    return map.typed(codec(info?.keyTypeId), codec(info?.valueTypeId));
  }

  /** A struct, union or integer by its C name, from the object's BTF. */
  type(name: string): BtfType {
    return resolveType(this.#handle, native.objectBtfByName(this.#handle, name).id);
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

function rodataBytes(name: string, value: RodataValue, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  if (typeof value === 'string' || value instanceof Uint8Array) {
    const given = typeof value === 'string' ? Buffer.from(`${value}\0`) : value;
    if (given.length > size || (typeof value !== 'string' && given.length !== size)) {
      throw new RangeError(`Variable ${name} has ${size} bytes; ${given.length} were given.`);
    }
    bytes.set(given);
    return bytes;
  }
  if (size !== 1 && size !== 2 && size !== 4 && size !== 8) {
    throw new RangeError(`Variable ${name} has ${size} bytes and is no integer; give the bytes.`);
  }
  const wanted = BigInt(value);
  const bits = size * 8;
  if (BigInt.asUintN(bits, wanted) !== wanted && BigInt.asIntN(bits, wanted) !== wanted) {
    throw new RangeError(`Variable ${name} has ${size} bytes; ${wanted} does not fit.`);
  }
  const whole = Buffer.alloc(8);
  whole.writeBigUInt64LE(BigInt.asUintN(64, wanted));
  whole.copy(bytes, 0, 0, size);
  return bytes;
}
