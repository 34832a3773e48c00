import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { POLICY } from '../../bpf/control.ts';
import { VERDICT } from '../../bpf/events.ts';
import { Recorder } from './recorder.ts';

const memory = '/sys/fs/cgroup/memory';
const isHybrid = existsSync(join(memory, 'cgroup.procs'));
if (!isHybrid) console.log('Skipped: this host has no v1 hierarchy of the memory controller.');

test.skipIf(!isHybrid)(
  'a v1 hierarchy identifies, and its policies hold, where pods are only there',
  async () => {
    const name = `kubesentry-test-v1-${process.pid}`;
    const folder = join(memory, name);
    using recorder = new Recorder({ families: ['exec', 'cgroup'], v1Controller: 'memory' });
    const { control } = recorder.programs;
    const program = join('/tmp', name);
    copyFileSync('/bin/sleep', program);
    mkdirSync(folder);
    try {
      const id = statSync(folder).ino;
      const made = await recorder.seen('cgroupMkdir', (event) => event.path === `/${name}`);
      expect([made.madeId, made.hierarchy > 0]).toEqual([id, true]);

      const script = `echo $$ > ${folder}/cgroup.procs; exec ${program} 0`;
      const free = spawnSync('/bin/sh', ['-c', script]);
      const event = await recorder.seen(
        'exec',
        (exec) => exec.tgid === free.pid && exec.filename === program,
      );
      expect(event.cgroupV1Id).toBe(id);

      control.listName(name, 3);
      // Version 2 of the same number is another cgroup, or none.
      control.setCgroup({ id, version: 2 }, POLICY.kill);
      expect(spawnSync('/bin/sh', ['-c', script]).status).toBe(0);
      control.setCgroup({ id, version: 2 }, 0);
      control.setCgroup({ id, version: 1 }, POLICY.kill);
      const killed = spawnSync('/bin/sh', ['-c', script]);
      expect(killed.signal).toBe('SIGKILL');
      const kill = await recorder.seen('exec', (exec) => exec.tgid === killed.pid && exec.rule === 3);
      expect(kill.verdict).toBe(VERDICT.enforced);
    } finally {
      rmdirSync(folder);
      rmSync(program);
    }
  },
);
