import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A process of a cluster, which outlives the command that started it. */
export interface Daemon {
  name: string;
  pid: number;
  /** Clock ticks since boot at its start: tells it from a later process with the same id (proc_pid_stat(5)). */
  startTime: string;
}

/** How long a process may take to end before it is killed, milliseconds. */
const GRACE_MS = 3_000;

function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return afterName[0] === 'Z' ? undefined : afterName[19];
  } catch {
    return undefined; // gone
  }
}

const ledger = (folder: string) => join(folder, 'processes.json');

export function daemons(folder: string): Daemon[] {
  return existsSync(ledger(folder)) ? (JSON.parse(readFileSync(ledger(folder), 'utf8')) as Daemon[]) : [];
}

export const isAlive = ({ pid, startTime: recorded }: Daemon): boolean => startTime(pid) === recorded;

/** The command line of a process that runs. */
export function commandOf({ pid }: Daemon): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
}

/** Starts a process in the background; its output goes to `<folder>/<name>.log`. It is on record before this returns. */
export function startDaemon(
  folder: string,
  name: string,
  command: string[],
  env: Record<string, string> = {},
): Daemon {
  const output = openSync(join(folder, `${name}.log`), 'a');
  const [program, ...args] = command as [string, ...string[]];
  const child = spawn(program, args, {
    cwd: folder,
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...process.env, ...env },
  });
  closeSync(output);
  // A program that is not there is seen as a process that is not alive; its readiness check says so.
  child.on('error', () => {});
  const daemon = { name, pid: child.pid ?? -1, startTime: startTime(child.pid ?? -1) ?? '' };
  child.unref();
  writeFileSync(ledger(folder), JSON.stringify([...daemons(folder), daemon], null, 2));
  return daemon;
}

/** Ends a process politely, then not; returns when it is gone. Does nothing to a process that is not the one on record. */
export async function stopDaemon(daemon: Daemon): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isAlive(daemon)) return;
    process.kill(daemon.pid, signal);
    const deadline = performance.now() + GRACE_MS;
    while (isAlive(daemon) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
