import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'undici';

const MIB = 1024;
/** USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS = 100;

/** What a process has used so far, and holds now. */
export interface Usage {
  residentMiB: number;
  /** The most that it held since `forgetPeak`. */
  peakMiB: number;
  cpuSeconds: number;
}

/** proc_pid_status(5), proc_pid_stat(5). */
export function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const size = (field: string) =>
    Math.round(Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / MIB);
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    residentMiB: size('VmRSS'),
    peakMiB: size('VmHWM'),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS,
  };
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Sums of one metric of a Prometheus text by the value of one label. */
export function sumsBy(text: string, metric: string, label: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${metric}{`)) continue;
    const key = new RegExp(`[{,]${label}="([^"]*)"`).exec(line)?.[1] ?? '';
    sums.set(key, (sums.get(key) ?? 0) + Number(line.slice(line.lastIndexOf(' ') + 1)));
  }
  return sums;
}

export async function textOf(url: string): Promise<string> {
  const { body } = await request(url);
  return body.text();
}
