import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Binaries } from '../../runtime/binary.ts';
import { ProcFs } from '../../runtime/proc-fs.ts';

const SLEEP = '/bin/sleep';

describe('Binaries', () => {
  const proc = new ProcFs();
  let child: ChildProcess;
  let pid: number;
  beforeAll(async () => {
    child = spawn(SLEEP, ['60']);
    await once(child, 'spawn');
    pid = child.pid as number;
  });
  afterAll(() => child.kill('SIGKILL'));

  const hash = (inode: number, neighbours: number[] = []) =>
    new Binaries({ proc }).sha256({
      pid,
      start: proc.stat(pid)?.start ?? 0,
      exe: '/bin/sh',
      inode,
      device: statSync('/bin/sh').dev,
      neighbours,
    });
  const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

  it('hashes what a process runs', async () => {
    expect(await hash(statSync(SLEEP).ino)).toBe(sha256(SLEEP));
    expect(await hash(0)).toBe(sha256(SLEEP));
  });

  it('knows the binary of a process by the number that the kernel has', () => {
    expect(proc.mappedInode(pid)).toBe(proc.exeInode(pid));
  });

  it('finds what ran by a relative path, and is gone, where a neighbour sees it, and no other file there', async () => {
    const neighbour = spawn(SLEEP, ['60'], { cwd: '/bin' });
    try {
      await once(neighbour, 'spawn');
      const { ino, dev } = statSync('/bin/true');
      const place = { pid: 0, start: 0, exe: './true', device: dev, neighbours: [neighbour.pid as number] };
      const binaries = new Binaries({ proc });
      expect(await binaries.sha256({ ...place, inode: ino })).toBe(sha256('/bin/true'));
      expect(await binaries.sha256({ ...place, inode: ino + 1 })).toBeNull();
    } finally {
      neighbour.kill('SIGKILL');
    }
  });

  it('does not give a program the hash of the one that its process executed next', async () => {
    expect(await hash(1)).toBeNull();
  });
});
