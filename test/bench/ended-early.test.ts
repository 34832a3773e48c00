import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { findHierarchies } from '../../runtime/cgroup-tree.ts';
import { whyNoKernel } from '../runtime/arena.ts';

const reason = whyNoKernel();

/** What benchmarks make: cgroups, scratch folders, mounts in them. */
function made(): string[] {
  const { v2, cpu } = findHierarchies('/proc');
  const places = new Set([v2?.root, cpu.cpu, cpu.cpuacct, tmpdir()].filter((place) => place !== undefined));
  const folders = [...places].flatMap((place) => readdirSync(place).map((name) => join(place, name)));
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  return [...folders, ...mounts.map((line) => line.split(' ')[1] ?? '')].filter((path) =>
    path.includes('/kubesentry-bench-'),
  );
}

function livingOf(group: number): string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(pgrp) === group && state !== 'Z';
      } catch {
        return false;
      }
    });
}

async function until(isSo: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 60_000; !isSo() && performance.now() < deadline; )
    await pause(50);
}

test.skipIf(reason).each([
  ['npm is told to end', (npm: number) => process.kill(npm, 'SIGTERM')],
  [
    'Ctrl-C reaches everybody, and the benchmark twice',
    (npm: number) => {
      process.kill(-npm, 'SIGINT');
      process.kill(-npm, 'SIGINT');
    },
  ],
])(
  `a benchmark leaves nothing behind when %s${reason ? ` (${reason})` : ''}`,
  async (_how, end) => {
    const before = made();
    const npm = spawn('npm', ['run', '--silent', 'bench', '--', 'soak', '--warm-up', '1', '--minutes', '1'], {
      cwd: join(import.meta.dirname, '../..'),
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = once(npm, 'exit');
    const group = npm.pid as number;
    let said = '';
    npm.stderr.on('data', (chunk) => (said += chunk));
    await until(() => said.includes('the load begins') || npm.exitCode !== null);
    await pause(2000);
    const during = made().filter((path) => !before.includes(path));
    end(group);
    await ended;
    await until(() => livingOf(group).length === 0);
    expect(said).toContain('the load begins');
    expect(during.length).toBeGreaterThanOrEqual(3);
    expect(livingOf(group)).toEqual([]);
    expect(during.filter(existsSync)).toEqual([]);
    expect(made().filter((path) => during.includes(path))).toEqual([]);
  },
  120_000,
);
