import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { CpuSample } from './detectors/cpu.ts';

/** Where the CPU time of cgroups is kept: v2, or the two v1 controllers, which may be mounted apart. */
export interface CpuMounts {
  v2: string | undefined;
  cpuacct: string | undefined;
  cpu: string | undefined;
}

/**
 * CPU time and quota of a cgroup, out of cpu.stat and cpu.max (cgroup-v2.rst) or cpuacct.usage and cpu.cfs_quota_us
 * (cgroup-v1/cpuacct.rst), and for how long it waited, out of cpu.pressure (accounting/psi.rst). Undefined when it is gone.
 */
export function readCpu(
  mounts: CpuMounts,
  path: string,
  time: number,
): Omit<CpuSample, 'pegged'> | undefined {
  const usage = usageOf(mounts, path);
  if (usage === undefined) return undefined;
  return { time, usage, waiting: waitingOf(mounts, path), allowed: allowedOf(mounts, path) };
}

function waitingOf({ v2 }: CpuMounts, path: string): number {
  const pressure = v2 && read(join(v2, path, 'cpu.pressure'));
  return Number((pressure && /^some .*total=(\d+)/m.exec(pressure)?.[1]) ?? 0);
}

function usageOf({ v2, cpuacct }: CpuMounts, path: string): number | undefined {
  const legacy = cpuacct && read(join(cpuacct, path, 'cpuacct.usage'));
  if (legacy) return Number(legacy) / 1000;
  const unified = v2 && read(join(v2, path, 'cpu.stat'));
  const usage = unified ? /^usage_usec (\d+)/m.exec(unified)?.[1] : undefined;
  return usage === undefined ? undefined : Number(usage);
}

/** The smallest quota of the cgroup and those above it: a pod's limit binds its containers. */
function allowedOf({ v2, cpu }: CpuMounts, path: string): number {
  let allowed = availableParallelism();
  for (let at = path; at !== '/' && at !== '.'; at = join(at, '..')) {
    const unified = v2 && /^(\d+) (\d+)/.exec(read(join(v2, at, 'cpu.max')) ?? '');
    if (unified) allowed = Math.min(allowed, Number(unified[1]) / Number(unified[2]));
    const quota = Number((cpu && read(join(cpu, at, 'cpu.cfs_quota_us'))) ?? -1);
    const period = Number((cpu && read(join(cpu, at, 'cpu.cfs_period_us'))) ?? 100_000);
    if (quota > 0) allowed = Math.min(allowed, quota / period);
  }
  return allowed;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
