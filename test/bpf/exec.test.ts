import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { POLICY } from '../../bpf/control.ts';
import { EXEC_FLAG, VERDICT } from '../../bpf/events.ts';
import { CgroupFolder } from './cgroup-folder.ts';
import { Recorder } from './recorder.ts';

const NAME = `victim-${process.pid}`;
let recorder: Recorder;
let folder: string;

beforeAll(() => {
  recorder = new Recorder({ families: ['exec', 'process'] });
  folder = mkdtempSync(join(tmpdir(), 'kubesentry-exec-'));
  writeFileSync(join(folder, NAME), '#!/bin/sh\necho alive > "$1"\n', { mode: 0o755 });
  recorder.programs.control.listName(NAME.toUpperCase(), 7);
});

afterAll(() => {
  recorder[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

test('an exec is seen with its arguments, its file and who started it', async () => {
  const { pid } = spawnSync('/bin/echo', ['one', 'two words', '', 'ünï']);
  const event = await recorder.seen('exec', (exec) => exec.tgid === pid);
  expect(event.argv).toEqual(['/bin/echo', 'one', 'two words', '', 'ünï']);
  expect(event.filename).toBe('/bin/echo');
  expect(event.comm).toBe('echo');
  expect(event.ppid).toBe(process.pid);
  expect(event.uid).toBe(process.getuid?.());
  const { ino, dev } = statSync('/bin/echo', { bigint: true });
  expect([event.inode, BigInt(event.device)]).toEqual([ino, dev]);
  expect(event.execFlags & EXEC_FLAG.argsTruncated).toBe(0);
  expect(event.verdict).toBe(VERDICT.none);
});

test('fork and exit frame the exec, with the same identity', async () => {
  const { pid } = spawnSync('/bin/sh', ['-c', 'exit 3']);
  const exec = await recorder.seen('exec', (one) => one.tgid === pid);
  const fork = await recorder.seen('fork', (one) => one.tgid === pid);
  const exit = await recorder.seen('exit', (one) => one.tgid === pid);
  expect(fork.ppid).toBe(process.pid);
  expect([fork.startTime, exit.startTime]).toEqual([exec.startTime, exec.startTime]);
  expect(exit.exitCode >> 8).toBe(3);
  expect(fork.ktime).toBeLessThan(exec.ktime);
  expect(exec.ktime).toBeLessThan(exit.ktime);
});

test('5,000 bytes of arguments arrive whole; of 100,000 the first 8 KiB do, and the rest is not hidden', async () => {
  const whole = spawnSync('/bin/true', ['a'.repeat(4_990), 'end']).pid;
  const long = spawnSync('/bin/true', ['b'.repeat(100_000), 'end']).pid;
  const first = await recorder.seen('exec', (exec) => exec.tgid === whole);
  expect(first.argv).toEqual(['/bin/true', 'a'.repeat(4_990), 'end']);
  expect(first.execFlags & EXEC_FLAG.argsTruncated).toBe(0);
  const second = await recorder.seen('exec', (exec) => exec.tgid === long);
  expect(second.argv.join('\0')).toHaveLength(8192);
  expect(second.execFlags & EXEC_FLAG.argsTruncated).toBe(EXEC_FLAG.argsTruncated);
  expect(second.argsTotal).toBe('/bin/true'.length + 1 + 100_001 + 4);
});

test('a program that runs from memory or was deleted is marked', async () => {
  const copy = join(folder, 'short-lived');
  copyFileSync('/bin/sleep', copy);
  const script = `rm ${copy}; exec /proc/self/fd/9 0`;
  const { pid } = spawnSync('/bin/sh', ['-c', `exec 9<${copy}; ${script}`]);
  const event = await recorder.seen('exec', (exec) => exec.tgid === pid && exec.argv[1] === '0');
  expect(event.execFlags & EXEC_FLAG.deleted).toBe(EXEC_FLAG.deleted);
  const memory = spawnSync('python3', [
    '-c',
    "import os; f=os.memfd_create('x'); os.write(f, open('/bin/sleep','rb').read()); os.execve(f, ['m','0'], {})",
  ]);
  const second = await recorder.seen('exec', (exec) => exec.tgid === memory.pid && exec.argv[0] === 'm');
  expect(second.execFlags & EXEC_FLAG.memfd).toBe(EXEC_FLAG.memfd);
});

test('a listed name is reported and lives while its cgroup is not enforced', async () => {
  const proof = join(folder, 'reported');
  const { pid } = spawnSync(join(folder, NAME), [proof]);
  const event = await recorder.seen('exec', (exec) => exec.tgid === pid);
  expect([event.rule, event.verdict]).toEqual([7, VERDICT.listed]);
  expect(existsSync(proof)).toBe(true);
});

test.each([
  ['by its file name', (proof: string) => `exec ${folder}/${NAME} ${proof}`],
  [
    'behind a symbolic link',
    (proof: string) => `ln -s ${folder}/sleeper ${folder}/link; exec ${folder}/link 0; touch ${proof}`,
  ],
  ['by argv[0]', (proof: string) => `exec -a /x/${NAME} sh -c 'echo alive > ${proof}'`],
])('a listed name dies before its first instruction: %s', async (how, script) => {
  using cgroup = new CgroupFolder();
  recorder.programs.control.setCgroup({ id: cgroup.id }, POLICY.kill);
  if (how.includes('link') && !existsSync(join(folder, 'sleeper'))) {
    copyFileSync('/bin/sleep', join(folder, `${NAME}.real`));
    symlinkSync(join(folder, `${NAME}.real`), join(folder, 'sleeper'));
    recorder.programs.control.listName(`${NAME}.real`, 8);
  }
  const proof = join(folder, `proof-${cgroup.id}`);
  const { signal, pid } = spawnSync('/bin/bash', ['-c', `${cgroup.enter}; ${script(proof)}`]);
  expect(signal).toBe('SIGKILL');
  expect(existsSync(proof)).toBe(false);
  const event = await recorder.seen('exec', (exec) => exec.tgid === pid && exec.rule !== 0);
  expect(event.verdict).toBe(VERDICT.enforced);
  expect(event.cgroupId).toBe(cgroup.id);
  recorder.programs.control.setCgroup({ id: cgroup.id }, 0);
});

test('a protected cgroup is spared although everything is enforced, from its ancestor down', async () => {
  using outer = new CgroupFolder();
  using inner = new CgroupFolder(outer);
  recorder.programs.control.setCgroup({ id: inner.id }, POLICY.kill);
  recorder.programs.control.setCgroup({ id: outer.id }, POLICY.protected);
  const proof = join(folder, 'protected');
  const { status, pid } = spawnSync('/bin/sh', ['-c', `${inner.enter}; exec ${folder}/${NAME} ${proof}`]);
  expect(status).toBe(0);
  expect(existsSync(proof)).toBe(true);
  const event = await recorder.seen('exec', (exec) => exec.tgid === pid && exec.rule === 7);
  expect(event.verdict).toBe(VERDICT.listed);
  recorder.programs.control.setCgroup({ id: inner.id }, 0);
  recorder.programs.control.setCgroup({ id: outer.id }, 0);
});
