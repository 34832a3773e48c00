import { readFileSync } from 'node:fs';

/** What a process holds and has used: proc_pid_smaps_rollup, proc_pid_stat(5). */
export interface Footprint {
  /** Resident, with what it shares with other processes: the text of Node, and the ring buffer, whose pages are mapped twice. */
  rssMiB: number;
  /** Resident, what is shared counted in proportion. */
  pssMiB: number;
  /** Heap, stacks and all else that is its own. */
  anonymousMiB: number;
  cpuSeconds: number;
}

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS = 100;

export function footprintOf(pid: number): Footprint {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const size = (field: string) =>
    Math.round((Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1]) / 1024) * 10) / 10;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    rssMiB: size('Rss'),
    pssMiB: size('Pss'),
    anonymousMiB: size('Pss_Anon'),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
  };
}
