import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** cgroup that holds a cluster's pods, below every hierarchy's root. */
export const cgroupRootOf = (cluster: string): string => `kubesentry-${cluster}`;

/** Folders of every mounted cgroup hierarchy (proc_pid_mountinfo(5)). */
function cgroupHierarchies(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] as string);
}

/** The kubelet wants its cgroup root to exist in every hierarchy. */
export function makeCgroupRoot(cluster: string): void {
  for (const hierarchy of cgroupHierarchies()) {
    const folder = join(hierarchy, cgroupRootOf(cluster));
    mkdirSync(folder, { recursive: true });
    if (!hierarchy.includes('cpuset')) continue;
    // A new v1 cpuset is empty, and nothing can run in it.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      writeFileSync(join(folder, file), readFileSync(join(hierarchy, file)));
    }
  }
}

/** Kills what still runs below the cluster's cgroups, shims included, and removes the cgroups, the deepest first. */
export async function removeCgroups(cluster: string): Promise<void> {
  const roots = cgroupHierarchies().map((hierarchy) => join(hierarchy, cgroupRootOf(cluster)));
  for (let attempt = 0; attempt < 50; attempt++) {
    const left = roots.filter((root) => existsSync(root) && !removeTree(root));
    if (left.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function removeTree(folder: string): boolean {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  for (const pid of readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // gone meanwhile
    }
  }
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false; // a killed process is not gone yet; the next attempt finds it empty
  }
}
