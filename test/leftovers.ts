/**
 * Names everything that Kubesentry could leave behind on a machine, and exits 1 if there is any: eBPF programs
 * and links, cgroups, network namespaces, mounts, processes. Run by CI after the tests and the demo.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

function bpfPrograms(): string[] {
  const programs = JSON.parse(execFileSync('bpftool', ['-j', 'prog', 'show'], { encoding: 'utf8' })) as {
    id: number;
    type: string;
    name?: string;
  }[];
  // The kernel's own and systemd's cgroup_device and cgroup_skb programs have no name of ours; ours all do.
  return programs
    .filter(({ name }) => name !== undefined && !name.startsWith('sd_'))
    .map(({ id, type, name }) => `eBPF program ${id} (${type} ${name})`);
}

function cgroups(): string[] {
  const found: string[] = [];
  const walk = (folder: string, depth: number): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const path = join(folder, entry.name);
      if (/^(kubesentry|kubepods)/.test(entry.name)) found.push(`cgroup ${path}`);
      else if (depth > 0) walk(path, depth - 1);
    }
  };
  walk('/sys/fs/cgroup', 2);
  return found;
}

function networkNamespaces(): string[] {
  if (!existsSync('/run/netns')) return [];
  return readdirSync('/run/netns').map((name) => `network namespace ${name}`);
}

function mounts(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.includes('kubesentry'))
    .map((point) => `mount ${point}`);
}

function processes(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const exe = readlinkSync(`/proc/${pid}/exe`);
        const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ');
        const ours =
          exe.includes('kubesentry') ||
          exe.startsWith(join(root, 'dist')) ||
          argv.includes('.cache/kubesentry');
        return ours ? [`process ${pid} (${argv.trim()})`] : [];
      } catch {
        return []; // a kernel thread, or gone meanwhile
      }
    });
}

const left = [bpfPrograms, cgroups, networkNamespaces, mounts, processes].flatMap((look) => look());
for (const line of left) console.log(line);
console.log(left.length === 0 ? 'Nothing is left behind.' : `${left.length} left behind.`);
process.exit(left.length === 0 ? 0 : 1);
