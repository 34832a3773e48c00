import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { POLICY } from '../../bpf/control.ts';
import { EVENT, EXEC_FLAG, VERDICT } from '../../bpf/events.ts';
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

test('a process whose maker is gone still says who made it, and so does the maker', async () => {
  const script = '(sh -c "sleep 0.2; exec /bin/true orphan" & ) ; exit';
  const { pid } = spawnSync('/bin/sh', ['-c', script]);
  const orphan = await recorder.seen('exec', (one) => one.argv[1] === 'orphan');
  expect(orphan.ppid).not.toBe(1);
  const maker = recorder.programs.births.of(orphan.ppid, orphan.parentStartTime);
  expect(maker?.ppid).toBe(pid);
  expect(recorder.programs.births.of(orphan.ppid, orphan.parentStartTime + 1)).toBeUndefined();
});

test('an exec has the same fingerprint again, and another one with other arguments, content or judgement', async () => {
  const program = join(folder, 'twice');
  copyFileSync('/bin/true', program);
  const run = async (...args: string[]) => {
    const { pid } = spawnSync(program, args);
    return recorder.seen('exec', (one) => one.tgid === pid);
  };
  const first = await run('a');
  const { fingerprint } = first;
  expect(Math.abs(first.changed - statSync(program).ctimeMs)).toBeLessThan(1);
  expect((await run('a')).fingerprint).toBe(fingerprint);
  expect((await run('b')).fingerprint).not.toBe(fingerprint);
  recorder.programs.knownExecs.add(fingerprint, true);
  expect((await run('a')).execFlags & EXEC_FLAG.known).toBe(EXEC_FLAG.known);
  expect((await run('b')).execFlags & EXEC_FLAG.known).toBe(0);
  recorder.programs.control.forgetKnownExecs();
  expect((await run('a')).execFlags & EXEC_FLAG.known).toBe(0);
  await pause(20);
  utimesSync(program, new Date(), new Date());
  expect((await run('a')).fingerprint).not.toBe(fingerprint);
  expect((await run('x'.repeat(300))).fingerprint).toBe(0n);
});

test('of what a cgroup repeats above its rate the kernel counts what nobody has to see again; what is new passes', async () => {
  using cgroup = new CgroupFolder();
  const inside = (script: string) =>
    spawnSync('/bin/sh', ['-c', `echo 0 > ${cgroup.path}/cgroup.procs; ${script}`]);
  inside('/bin/true known');
  const known = await recorder.seen('exec', (one) => one.cgroupId === cgroup.id && one.argv[1] === 'known');
  recorder.programs.knownExecs.add(known.fingerprint, true);
  const before = recorder.programs.folded().exec;
  inside('i=0; while [ $i -lt 1000 ]; do /bin/true known; i=$((i+1)); done; /bin/true other');
  await recorder.seen('exec', (one) => one.cgroupId === cgroup.id && one.argv[1] === 'other');
  const folded = Number(recorder.programs.folded().exec - before);
  const seen = recorder.events.filter(
    (one) => one.type === EVENT.exec && one.cgroupId === cgroup.id && one.argv[1] === 'known',
  );
  expect(folded).toBeGreaterThan(0);
  expect(seen.length - 1 + folded).toBe(1000);
  const spent = recorder.programs.spending().find(({ cgroupId }) => cgroupId === cgroup.id);
  expect(spent).toMatchObject({ folded, dropped: 0 });
});

test('5,000 bytes of arguments arrive whole; of 100,000 the first 6 KiB do and the last two', async () => {
  const whole = spawnSync('/bin/true', ['a'.repeat(4_990), 'end']).pid;
  const long = spawnSync('/bin/true', ['b'.repeat(100_000), '-o', 'end']).pid;
  const first = await recorder.seen('exec', (exec) => exec.tgid === whole);
  expect(first.argv).toEqual(['/bin/true', 'a'.repeat(4_990), 'end']);
  expect(first.execFlags & EXEC_FLAG.argsTruncated).toBe(0);
  const second = await recorder.seen('exec', (exec) => exec.tgid === long);
  expect(second.argv.join('\0')).toHaveLength(8191);
  expect(second.argv.slice(-2)).toEqual(['-o', 'end']);
  expect(second.execFlags & EXEC_FLAG.argsTruncated).toBe(EXEC_FLAG.argsTruncated);
  expect(second.argsTotal).toBe('/bin/true'.length + 1 + 100_001 + 3 + 4);
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
