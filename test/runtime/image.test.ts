import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EventView } from '../../bpf/event-view.ts';
import { EXEC_FLAG } from '../../bpf/events.ts';
import { Images } from '../../runtime/image.ts';
import { ProcFs } from '../../runtime/proc-fs.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kubesentry-image-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A file that can be executed, and its inode. */
function program(name: string): { path: string; inode: number } {
  const path = join(root, name);
  writeFileSync(path, '');
  return { path, inode: statSync(path).ino };
}

/** What /proc says now. */
function runs(pid: number, comm: string, path: string): void {
  const folder = join(root, 'proc', `${pid}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  symlinkSync(path, join(folder, 'exe'));
  writeFileSync(join(folder, 'stat'), `${pid} (${comm}) S 1 ${'0 '.repeat(48)}`);
}

const executed = (tgid: number, comm: string, filename: string, inode: number) =>
  ({
    tgid,
    comm,
    filename,
    inode: BigInt(inode),
    device: 1,
    argv: [comm],
    execFlags: 0,
    fingerprintKey: 0,
    changed: 0,
  }) as unknown as EventView;

test('a process that went on to another program before it was looked at does not lend its name to the first', () => {
  const [shell, miner] = [program('busybox'), program('xmrig')];
  const images = new Images(new ProcFs(join(root, 'proc')));
  runs(7, 'xmrig', miner.path);
  expect(images.executed(executed(7, 'sh', '/bin/sh', shell.inode), 0).exe).toBe('/bin/sh');

  runs(8, 'sh', shell.path);
  expect(images.executed(executed(8, 'sh', '/bin/sh', shell.inode), 0).exe).toBe(shell.path);
});

test('an inode that overlayfs shows differently is no reason to doubt the link', () => {
  const shell = program('busybox');
  const images = new Images(new ProcFs(join(root, 'proc')));
  runs(9, 'sh', shell.path);
  expect(images.executed(executed(9, 'sh', '/bin/sh', shell.inode + 1), 0).exe).toBe(shell.path);
});

test('programs that are gone before anybody looks share one image, until one lives long enough to be read', () => {
  const job = program('job');
  const images = new Images(new ProcFs(join(root, 'proc')));
  const first = images.executed(executed(10, 'job', './job', job.inode), 0);
  expect(first.exe).toBe('./job');
  expect(images.executed(executed(11, 'job', './job', job.inode), 0)).toBe(first);
  runs(12, 'job', job.path);
  expect(images.executed(executed(12, 'job', './job', job.inode), 0).exe).toBe(job.path);
  expect(images.executed(executed(13, 'job', './job', job.inode), 0).exe).toBe(job.path);
});

test('the content has another name once the file was written again, in another inode, or on another device', () => {
  const images = new Images(new ProcFs(join(root, 'proc')));
  const contentOf = (args: string, changes: Partial<EventView>) =>
    images.executed(
      { ...executed(14, 'job', './job', 5), argv: ['job', args], ...changes } as EventView,
      10_000,
    ).content;
  const first = contentOf('1', { changed: 1000 });
  expect(contentOf('2', { changed: 1000 })).toBe(first);
  expect(contentOf('3', { changed: 2000 })).not.toBe(first);
  expect(contentOf('4', { changed: 1000, device: 2 })).not.toBe(first);
  expect(contentOf('5', { changed: 1000, inode: 6n })).not.toBe(first);
  expect(contentOf('6', { changed: 9000 })).toBeUndefined();
});

test('of arguments beyond any bound the first and the last are kept, and what is missing is said', () => {
  const job = program('job');
  const images = new Images(new ProcFs(join(root, 'proc')));
  runs(20, 'job', job.path);
  const padding = Array.from({ length: 30 }, () => 'a'.repeat(100_000));
  const argv = ['job', ...padding, '-o', 'stratum+tcp://pool.example:3333'];
  writeFileSync(join(root, 'proc/20/cmdline'), `${argv.join('\0')}\0`);
  const event = executed(20, 'job', './job', job.inode);
  const some = { argv: ['job', ...argv.slice(-2)], execFlags: EXEC_FLAG.argsTruncated };
  const image = images.executed({ ...event, ...some } as EventView, 0);
  expect(image.argv).toHaveLength(23);
  expect([image.argv[0], image.argv.at(-1)]).toEqual(['job', argv.at(-1)]);
  expect(image.flags & EXEC_FLAG.argsTruncated).not.toBe(0);
});
