import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { CgroupFolder } from './cgroup-folder.ts';
import { Recorder } from './recorder.ts';

test('a cgroup is named before its first process, and its removal is told', async () => {
  using recorder = new Recorder({ families: ['exec', 'cgroup'] });
  let id: number;
  let name: string;
  let pid: number;
  {
    using cgroup = new CgroupFolder();
    ({ id, name } = cgroup);
    ({ pid } = spawnSync('/bin/sh', ['-c', `${cgroup.enter}; exec /bin/true`]));
  }
  const made = await recorder.seen('cgroupMkdir', (event) => event.madeId === id && event.hierarchy === 0);
  expect(made.path).toBe(name);
  expect(made.level).toBe(1);
  const exec = await recorder.seen('exec', (event) => event.tgid === pid && event.cgroupId === id);
  expect(exec.ktime).toBeGreaterThan(made.ktime);
  expect(recorder.events.indexOf(made)).toBeLessThan(recorder.events.indexOf(exec));
  const removed = await recorder.seen('cgroupRmdir', (event) => event.madeId === id);
  expect(removed.path).toBe(name);
});
