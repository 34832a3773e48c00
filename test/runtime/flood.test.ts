import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Storms } from '../bench/load/storm.ts';
import { Arena, whyNoKernel } from './arena.ts';

const reason = whyNoKernel();
const FLOOD = 6000;

describe.skipIf(reason)(`a container that floods the agent${reason ? ` (${reason})` : ''}`, () => {
  let arena: Arena;
  let storms: Storms;

  beforeAll(async () => {
    arena = await Arena.open({ mode: 'enforce' });
    storms = await Storms.compile(arena.folder);
  });
  afterAll(() => arena?.[Symbol.asyncDispose]());

  const flood = (cgroup: string, prefix?: string) =>
    storms.run({
      ...{ kind: 'exec', rate: 0, count: FLOOD, workers: 2, cgroup, program: '/bin/true' },
      ...(prefix === undefined ? {} : { prefix }),
    } as const);
  const miner = (cgroup: string) =>
    arena.run(
      [arena.standIn('web', '/bin/bash'), '-c', 'sleep 30', 'web', 'stratum+tcp://pool.example.com:3333'],
      { cgroup },
    );

  it('does not hide a miner in it with harmless programs, which the kernel counts and puts down to it', async () => {
    const cgroup = arena.child('same');
    // One alone is judged and becomes known.
    await storms.run({ kind: 'exec', rate: 0, count: 1, cgroup, program: '/bin/true' });
    await arena.settled();
    const before = arena.agent.stats();
    const over = flood(cgroup);
    expect(await miner(cgroup)).toMatchObject({ signal: 'SIGKILL' });
    expect(await arena.run([arena.standIn('xmrig'), '30'], { cgroup })).toMatchObject({ signal: 'SIGKILL' });
    const { sent } = await over;
    const hidden = await arena.detected(
      ({ rule, container }) => rule === 'stratum-url' && container?.cgroup.endsWith('/same') === true,
    );
    expect(hidden.action).toBe('killed');
    await arena.settled();
    const { sensor, spending, executions } = arena.agent.stats();
    const folded = (sensor.folded.exec ?? 0) - (before.sensor.folded.exec ?? 0);
    const dropped = (sensor.dropped.exec ?? 0) - (before.sensor.dropped.exec ?? 0);
    expect(folded).toBeGreaterThan(FLOOD / 4);
    expect(executions - before.executions + folded + dropped).toBeGreaterThanOrEqual(sent);
    const { ino } = statSync(cgroup);
    const spent = spending.find(({ cgroupId }) => cgroupId === ino);
    expect(spent?.folded).toBeGreaterThanOrEqual(folded);
    expect(spent?.cgroup).toMatch(/\/same$/);
  });

  it('does not hide it with programs that differ', async () => {
    const cgroup = arena.child('different');
    const before = arena.agent.stats();
    const over = flood(cgroup, 'number-');
    expect(await miner(cgroup)).toMatchObject({ signal: 'SIGKILL' });
    const { sent } = await over;
    await arena.settled();
    const { sensor, executions } = arena.agent.stats();
    const dropped = (sensor.dropped.exec ?? 0) - (before.sensor.dropped.exec ?? 0);
    expect(executions - before.executions + dropped).toBeGreaterThanOrEqual(sent);
  });

  it('does not hide what goes on running after the ring was full', async () => {
    const cgroup = arena.child('full');
    const before = arena.agent.stats().sensor.dropped.exec ?? 0;
    const full = join(arena.folder, 'full');
    const web = arena.standIn('web-of-the-full-ring', '/bin/bash');
    // A listed name would find room; each of these takes seven kilobytes of what there is.
    const script = `pad=$(printf %06500d 0); for n in $(seq 700); do /bin/true $pad$n; done; touch ${full}
exec ${web} -c 'sleep 30; true' web stratum+tcp://pool.example.com:3333`;
    // In a file, so that nothing of it stands in the arguments of the shell.
    writeFileSync(join(arena.folder, 'job'), script);
    const running = arena.start(['/bin/bash', 'job'], { cgroup });
    // Nothing is read meanwhile, not even that the cgroup was made; and it is time to look what was lost.
    while (!existsSync(full)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
    const { action } = await arena.detected(({ process }) => process.exe === web);
    expect(action).toBe('killed');
    expect((arena.agent.stats().sensor.dropped.exec ?? 0) - before).toBeGreaterThan(0);
    if (running.signalCode === null) await once(running, 'exit');
  });
});
