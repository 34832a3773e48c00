import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BpfObject } from '../index.ts';

const source = join(import.meta.dirname, 'tiny.bpf.c');
const folder = join(import.meta.dirname, '..', 'build');
const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';

/** Compiles tiny.bpf.c, unless it is up to date. */
export function tinyFile(): string {
  const object = join(folder, 'tiny.bpf.o');
  mkdirSync(folder, { recursive: true });
  const isFresh = (statSync(object, { throwIfNoEntry: false })?.mtimeMs ?? 0) > statSync(source).mtimeMs;
  if (!isFresh) {
    const flags = ['-O2', '-g', '-target', 'bpf', '-I', `/usr/include/${triplet}`];
    execFileSync('clang', [...flags, '-c', source, '-o', object]);
  }
  return object;
}

/** tiny.bpf.o with only these programs to be loaded. */
export function openTiny(programs: string[]): BpfObject {
  const object = BpfObject.open(tinyFile());
  for (const program of object.programs.values()) program.autoload = programs.includes(program.name);
  return object;
}
