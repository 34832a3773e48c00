import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Detection } from '../../../api/detection.ts';
import { findHierarchies } from '../../../runtime/cgroup-tree.ts';
import { AgentProcess } from '../load/agent-process.ts';
import type { Grounds } from '../load/grounds.ts';
import { inCgroup } from '../load/storm.ts';
import type { Measurement } from './measure.ts';

/** Share of a CPU that its container may use; undefined: all there are. Whether its load is to be reported. */
interface Burner {
  kind: string;
  quota?: number;
  isReported: boolean;
  /** Seconds in which its habit is learned before it works. */
  rest: number;
}

const REST = 85;
const WATCHED_MS = 260_000;

const BURNERS: Readonly<Record<string, Burner>> = {
  'takes its whole quota': { kind: 'steady', quota: 0.15, rest: REST, isReported: true },
  'twenty processes': { kind: 'many', quota: 0.15, rest: REST, isReported: true },
  'holds back': { kind: 'duty', rest: REST, isReported: true },
  'moves between threads': { kind: 'moving', quota: 0.5, rest: REST, isReported: true },
  'a batch job, in bursts': { kind: 'batch', quota: 0.15, rest: REST, isReported: false },
  'a job that computes from its first second': { kind: 'steady', quota: 0.15, rest: 0, isReported: false },
};

const METHOD =
  `Containers of their own in real cgroups, all at once; each rests for ${REST} s, in which its habit is learned, and then ` +
  'computes. Seconds: from its first work until the detection. Reported means a detection, with its confidence; CPU time ' +
  'alone is never enough to contain anything.';

export async function burners({ grounds }: Measurement) {
  const detections: { detection: Detection; at: number }[] = [];
  const agent = await AgentProcess.start({
    cgroup: grounds.path,
    onLine: (line) => detections.push({ detection: JSON.parse(line) as Detection, at: performance.now() }),
  });
  const scenes = Object.entries(BURNERS).map(([name, burner]) => start(grounds, name, burner));
  const began = performance.now();
  try {
    await pause(WATCHED_MS);
    const rows = scenes.map(({ name, path, burner: { rest, isReported } }) => {
      const found = detections.find(({ detection }) => detection.container?.cgroup === path);
      return {
        name,
        reported: found !== undefined,
        asExpected: (found !== undefined) === isReported,
        ...(found && {
          seconds: Math.round((found.at - began) / 1000 - rest),
          rule: found.detection.rule,
          confidence: found.detection.confidence,
        }),
      };
    });
    return { method: METHOD, rows };
  } finally {
    for (const { child } of scenes) child.kill('SIGKILL');
    await agent.stop();
    for (const { path, folders } of scenes) {
      await grounds.remove(join(grounds.cgroup, path.slice(grounds.path.length)));
      for (const folder of folders) {
        rmdirSync(folder);
        rmdirSync(dirname(folder));
      }
    }
    for (const mount of legacyMounts()) removeEmpty(join(mount, grounds.path));
  }
}

interface Scene {
  name: string;
  burner: Burner;
  path: string;
  folders: string[];
  child: ChildProcess;
}

/** In its cgroup of v2, and on hybrid hosts in the one of the same path in v1, where its time is counted. */
function start(grounds: Grounds, name: string, burner: Burner): Scene {
  const uid = randomUUID();
  const cgroup = grounds.container(uid, randomBytes(32).toString('hex'));
  const path = grounds.path + cgroup.slice(grounds.cgroup.length);
  const folders = legacyMounts().map((mount) => join(mount, path));
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  const { cpu } = findHierarchies('/proc').cpu;
  if (burner.quota !== undefined) {
    const quota = Math.round(burner.quota * 100_000);
    if (cpu === undefined) writeFileSync(join(cgroup, 'cpu.max'), `${quota} 100000`);
    else writeFileSync(join(cpu, path, 'cpu.cfs_quota_us'), `${quota}`);
  }
  const script = join(import.meta.dirname, '..', 'load', 'burner.py');
  const command = ['python3', script, burner.kind, `${burner.rest}`];
  const entered = folders.reduce((inner, folder) => ['/bin/sh', ...inCgroup(folder, inner)], command);
  const child = spawn('/bin/sh', inCgroup(cgroup, entered), { stdio: 'ignore' });
  return { name, burner, path, folders, child };
}

function legacyMounts(): string[] {
  const { cpu, cpuacct } = findHierarchies('/proc').cpu;
  return [...new Set([cpu, cpuacct].filter((mount) => mount !== undefined))];
}

function removeEmpty(folder: string): void {
  for (const part of ['kubepods/besteffort', 'kubepods', '']) {
    rmdirSync(join(folder, part));
  }
}
