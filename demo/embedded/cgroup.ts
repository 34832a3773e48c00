import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the cgroup v2 hierarchy is mounted (proc_pid_mountinfo(5)); undefined when it is not. */
export function cgroup2Mount(): string | undefined {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [fields, source] = line.split(' - ');
    if (source?.startsWith('cgroup2 ')) return fields?.split(' ')[4];
  }
  return undefined;
}

/** A cgroup v2 folder that ends with everything in it. */
export class Cgroup {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true });
  }

  child(name: string): Cgroup {
    return new Cgroup(join(this.path, name));
  }

  /** Kills what runs in it, children included, and waits until nothing does. */
  async kill(): Promise<void> {
    for (const name of this.#children()) await new Cgroup(join(this.path, name)).kill();
    while (this.#pids().length > 0) {
      for (const pid of this.#pids()) process.kill(pid, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async remove(): Promise<void> {
    await this.kill();
    for (const name of this.#children()) await new Cgroup(join(this.path, name)).remove();
    rmdirSync(this.path);
  }

  /** Moves a process in: writing 0 moves the writer, so a child does it itself before exec. */
  get procs(): string {
    return join(this.path, 'cgroup.procs');
  }

  add(pid: number): void {
    writeFileSync(this.procs, String(pid));
  }

  #pids(): number[] {
    return readFileSync(this.procs, 'utf8').split('\n').filter(Boolean).map(Number);
  }

  #children(): string[] {
    return readdirSync(this.path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  }
}
