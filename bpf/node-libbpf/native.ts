import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { BpfError } from './error.ts';

/** Owned by the addon; its finalizer closes what was not closed. */
export type Handle = { readonly __handle: unique symbol };

export interface NativeMapInfo {
  name: string;
  type: number;
  keySize: number;
  valueSize: number;
  maxEntries: number;
  keyTypeId: number;
  valueTypeId: number;
}

export interface NativeProgramInfo {
  name: string;
  section: string;
  autoload: boolean;
}

/** As the addon tells it: members refer to types by id. */
export interface NativeBtfType {
  id: number;
  kind: 'int' | 'struct' | 'union' | 'array' | 'pointer' | 'enum' | 'other';
  name: string;
  size: number;
  signed: boolean;
  elementId: number;
  length: number;
  fields: { name: string; typeId: number; bitOffset: number; bitSize: number }[];
}

/** The face of the addon (src/*.c). Every call that fails throws BpfError. */
export interface Native {
  setErrorClass(errorClass: typeof BpfError): void;
  close(handle: Handle): void;
  isClosed(handle: Handle): boolean;

  objectOpen(source: string | Uint8Array, name: string | undefined): Handle;
  objectPrograms(object: Handle): NativeProgramInfo[];
  objectMaps(object: Handle): NativeMapInfo[];
  objectLoad(object: Handle): void;
  objectMap(object: Handle, name: string): Handle;
  objectSetAutoload(object: Handle, program: string, on: boolean): void;
  objectResizeMap(object: Handle, map: string, maxEntries: number): void;
  objectReuseMap(object: Handle, name: string, map: Handle): void;
  objectVariable(object: Handle, section: string, name: string): { offset: number; size: number };
  objectWriteInitial(object: Handle, section: string, offset: number, value: Uint8Array): void;
  objectBtfByName(object: Handle, name: string): NativeBtfType;
  objectBtfById(object: Handle, id: number): NativeBtfType;

  programAttach(object: Handle, program: string): Handle;
  programAttachCgroup(object: Handle, program: string, cgroup: string | number): Handle;
  programIterate(object: Handle, program: string): Buffer;
  programRun(
    object: Handle,
    program: string,
    data: Uint8Array | undefined,
    context: Uint8Array | undefined,
    repeat: number,
  ): { returnValue: number; durationNs: number };

  mapCreate(
    type: number,
    name: string,
    keySize: number,
    valueSize: number,
    maxEntries: number,
    flags: number,
  ): Handle;
  mapInfo(map: Handle): NativeMapInfo;
  mapGet(map: Handle, key: Uint8Array): Buffer | undefined;
  mapSet(map: Handle, key: Uint8Array, value: Uint8Array, flags: number): void;
  mapDelete(map: Handle, key: Uint8Array): boolean;
  mapNextKey(map: Handle, key: Uint8Array | undefined): Buffer | undefined;
  mapReadAll(map: Handle): { keys: Buffer; values: Buffer; count: number; batched: boolean };

  ringOpen(
    map: Handle,
    slab: Uint8Array,
    onBatch: ((count: number, bytes: number) => void) | undefined,
  ): Handle;
  ringDrain(ring: Handle): { count: number; bytes: number };
  ringAvailable(ring: Handle): number;
  ringRef(ring: Handle, on: boolean): void;

  probeLoad(section: string, hook: string | undefined): { code: string; log: string } | undefined;
  probeBtf(): { code: string; log: string } | undefined;
  libbpfVersion(): string;
  possibleCpus(): number;
}

const FILE = join(import.meta.dirname, 'build', `node-libbpf-${process.arch}.node`);

function load(): Native {
  if (!existsSync(FILE)) {
    throw new BpfError('ENOENT', 'load addon', `The addon is not built: ${FILE} is missing. Run build.mjs.`);
  }
  const addon = createRequire(import.meta.url)(FILE) as Native;
  addon.setErrorClass(BpfError);
  return addon;
}

export const native: Native = load();
