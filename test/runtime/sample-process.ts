import { parseCgroupPath } from '../../runtime/cgroup-path.ts';
import { type Container, HOST } from '../../runtime/containers.ts';
import type { Process } from '../../runtime/processes.ts';

let pids = 1000;
const containers = new Map<string, Container>();

/** The same object for the same path, as the agent has it. */
export function sampleContainer(cgroup = '/kubepods/podx/abc'): Container {
  const identity = parseCgroupPath(cgroup);
  if (!identity) return HOST;
  const known = containers.get(cgroup) ?? { cgroup: identity.path, identity };
  containers.set(cgroup, known);
  return known;
}

/** A process that runs `argv`, with a pid of its own. */
export function sampleProcess(
  argv: readonly string[],
  {
    parent,
    container = sampleContainer(),
    exe,
    flags = 0,
  }: { parent?: Process; container?: Container; exe?: string; flags?: number } = {},
): Process {
  const path = exe ?? `/usr/bin/${argv[0]}`;
  const comm = path.slice(path.lastIndexOf('/') + 1, 15);
  pids++;
  return {
    pid: pids,
    start: pids * 1e9,
    uid: 0,
    image: { exe: path, filename: path, argv, comm, flags, inode: pids, device: 1 },
    container,
    parent,
  };
}
