import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type EventView, eachRecord } from '../../bpf/event-view.ts';
import { OPTIONAL, Programs } from '../../bpf/programs.ts';
import { cgroupRoot, Recorder } from './recorder.ts';

/** What this process holds in the kernel, by its descriptors: `link_id: 12`, `prog_id: 7`, `map_id: 3`. */
function held(): string[] {
  return readdirSync('/proc/self/fdinfo').flatMap((fd) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').match(/^(?:link|prog|map)_id:\s*\d+/gm) ?? [];
    } catch {
      return []; // the descriptor of this very listing
    }
  });
}

test('every family is at work here, and closing leaves nothing in the kernel', () => {
  const before = held();
  const programs = Programs.load({ cgroupRoot: cgroupRoot() });
  const needed = programs.families.filter(({ family }) => !OPTIONAL.includes(family));
  expect(needed.flatMap(({ failed }) => failed.map(({ program }) => program))).toEqual([]);
  expect(held().filter((line) => line.startsWith('link_id')).length).toBeGreaterThanOrEqual(10);
  programs.close();
  programs.close();
  expect(held()).toEqual(before);
});

test('an agent that is killed leaves nothing either', () => {
  const file = join(import.meta.dirname, '..', '..', 'bpf', 'programs.ts');
  const script = `
    const { Programs } = await import(${JSON.stringify(file)});
    const { readdirSync, readFileSync, writeSync } = await import('node:fs');
    const programs = Programs.load({ cgroupRoot: ${JSON.stringify(cgroupRoot())} });
    const infos = readdirSync('/proc/self/fdinfo').filter((fd) => Number(fd) > 10);
    writeSync(1, infos.map((fd) => { try { return readFileSync('/proc/self/fdinfo/' + fd, 'utf8'); } catch { return ''; } }).join(''));
    process.kill(process.pid, 'SIGKILL');`;
  const { stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect(signal).toBe('SIGKILL');
  const links = [...stdout.matchAll(/^link_id:\s*(\d+)/gm)].map(([, id]) => id ?? '');
  expect(links.length).toBeGreaterThanOrEqual(10);
  const alive = links.filter((id) => spawnSync('bpftool', ['link', 'show', 'id', id]).status === 0);
  expect(alive).toEqual([]);
});

test('a program whose hook this kernel lacks is reported, and the rest of its family works', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubesentry-programs-'));
  cpSync(join(import.meta.dirname, '..', '..', 'dist', 'bpf'), folder, { recursive: true });
  const file = join(folder, 'iter.bpf.o');
  writeFileSync(file, readFileSync(file, 'latin1').replaceAll('iter/tcp', 'iter/xyz'), 'latin1');
  using programs = Programs.load({ cgroupRoot: undefined, families: ['iter', 'process'], directory: folder });
  rmSync(folder, { recursive: true });
  const [iter, process] = programs.families;
  expect(iter?.attached).toEqual(['iterate_processes', 'iterate_connections']);
  expect(iter?.failed.map(({ program, error }) => [program, error.code])).toEqual([
    ['iterate_sockets', 'ESRCH'],
  ]);
  expect(process?.failed).toEqual([]);
  expect(programs.snapshot('processes').length).toBeGreaterThan(0);
  expect(programs.snapshot('sockets')).toHaveLength(0);
});

test('the processes that exist are told with the start time that /proc has', () => {
  using programs = Programs.load({ cgroupRoot: undefined, families: ['iter'] });
  let own: { startTime: number; ppid: number; comm: string } | undefined;
  const tgids: number[] = [];
  eachRecord(programs.snapshot('processes'), (record: EventView) => {
    tgids.push(record.tgid);
    const { startTime, ppid, comm } = record;
    if (record.tgid === process.pid) own = { startTime, ppid, comm };
  });
  expect(tgids).toContain(process.ppid);
  expect(own?.ppid).toBe(process.ppid);
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  expect(Math.floor((own?.startTime ?? 0) / 1e7)).toBe(ticks);
});

test('the sockets that exist are told', async () => {
  using programs = Programs.load({ cgroupRoot: undefined, families: ['iter'] });
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const listening: string[] = [];
  eachRecord(programs.snapshot('sockets'), (record) => {
    if (record.localPort === port) listening.push(`${record.localAddress} ${record.socketState}`);
  });
  server.close();
  expect(listening).toEqual(['127.0.0.1 10']);
});

test('the connections that processes hold are told, also in a network of their own', async () => {
  const connect = `import os, socket, time
listener = socket.socket(); listener.bind(('127.0.0.1', 0)); listener.listen()
link = socket.create_connection(listener.getsockname()); print(listener.getsockname()[1], flush=True); time.sleep(60)`;
  const child = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up; exec python3 -c "$0"', connect]);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  using programs = Programs.load({ cgroupRoot: undefined, families: ['iter'] });
  const remotePorts: number[] = [];
  eachRecord(programs.snapshot('connections'), (record) => {
    if (record.tgid === child.pid) remotePorts.push(record.remotePort);
  });
  child.kill('SIGKILL');
  await once(child, 'close');
  expect(remotePorts).toEqual([Number(line)]);
});

test('what the ring cannot hold is counted by type', async () => {
  using programs = Programs.load({ cgroupRoot: undefined, families: ['exec'], ringBytes: 4096 });
  execFileSync('/bin/sh', [
    '-c',
    'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do /bin/true; done',
  ]);
  const { exec, connect } = programs.dropped();
  expect(exec).toBeGreaterThan(0n);
  expect(connect).toBe(0n);
});

test('a process that computes with a changed rounding mode is told, as RandomX does', async () => {
  if (process.arch !== 'x64') return;
  using recorder = new Recorder({ families: ['fpu'] });
  const burn = `import ctypes, os
libm = ctypes.CDLL('libm.so.6')
libm.fesetround(0x400)
x = 1.0
while True: x = x * 1.0000001 + 0.1`;
  const child = spawn('python3', ['-c', burn]);
  const event = await recorder.seen('fpu', (one) => one.tgid === child.pid);
  child.kill('SIGKILL');
  await once(child, 'close');
  expect(event.mxcsr & (3 << 13)).not.toBe(0);
  expect(recorder.find('fpu', (one) => one.tgid === process.pid)).toBeUndefined();
});
