import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Ids of the eBPF programs that a process holds, as the kernel tells them in fdinfo (kernel/bpf/syscall.c). */
export function programsOf(pid: number): number[] {
  const folder = `/proc/${pid}/fdinfo`;
  const ids = readdirSync(folder).flatMap((fd) => {
    const id = /^prog_id:\s*(\d+)$/m.exec(readFileSync(`${folder}/${fd}`, 'utf8'))?.[1];
    return id === undefined ? [] : [Number(id)];
  });
  return [...new Set(ids)];
}

/** Those of `programs` that the kernel still keeps, loaded or linked, held by whomever. */
export function stillInKernel(programs: readonly number[]): number[] {
  const kept = new Set([
    ...show<{ id: number }>('prog').map(({ id }) => id),
    ...show<{ prog_id?: number }>('link').map(({ prog_id }) => prog_id),
  ]);
  return programs.filter((id) => kept.has(id));
}

function show<T>(what: 'prog' | 'link'): T[] {
  return JSON.parse(execFileSync('bpftool', ['-j', what, 'show'], { encoding: 'utf8' })) as T[];
}
