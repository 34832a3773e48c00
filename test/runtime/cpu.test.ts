import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../api/finding.ts';
import { type CpuState, cpuEvidence, stepCpu } from '../../runtime/detectors/cpu.ts';
import { ThreadUse } from '../../runtime/thread-use.ts';

interface Phase {
  seconds: number;
  /** Of the allowed CPUs; every other sample differs by `jitter` of it. */
  share: number;
  jitter?: number;
  /** How much of the difference it wanted, and others had. */
  starved?: number;
  pegged?: number;
}

/** Runs a container through phases, sampled every 10 s; when it was reported. */
function live(phases: Phase[], allowed = 2, hear: (finding: Finding) => void = () => {}): number[] {
  let state: CpuState | undefined;
  let time = 0;
  let usage = 0;
  let waiting = 0;
  const reports: number[] = [];
  const look = (pegged = 0) => {
    const step = stepCpu(state, { time, usage, waiting, allowed, pegged });
    state = step.state;
    if (step.findings.length > 0) reports.push(time / 1000);
    step.findings.forEach(hear);
  };
  look();
  for (const { seconds, share, jitter = 0, starved = 0, pegged } of phases) {
    for (let passed = 0; passed < seconds; passed += 10) {
      time += 10_000;
      usage += 10_000_000 * share * allowed * (passed % 20 ? 1 - jitter : 1);
      // What it does not get it waits for.
      waiting += 10_000_000 * share * allowed * (passed % 20 ? starved * jitter : 0);
      look(pegged);
    }
  }
  return reports;
}

describe('stepCpu', () => {
  it('suspects a container that takes all it may use for more than 30 s, within a minute', () => {
    const [at] = live([
      { seconds: 120, share: 0.1 },
      { seconds: 120, share: 1 },
    ]);
    expect(at).toBeGreaterThan(150);
    expect(at).toBeLessThanOrEqual(180);
  });

  it('is worth a report against a known habit, and only company for others without one', () => {
    const rules = (phases: Phase[]) => {
      const found: string[] = [];
      live(phases, 2, (finding) => found.push(`${finding.rule} ${finding.score}`));
      return found;
    };
    const busy = { seconds: 120, share: 1 };
    expect(rules([{ seconds: 120, share: 0.2 }, busy])).toEqual(['cpu-anomaly 30']);
    expect(rules([busy])).toEqual(['cpu-saturation 20']);
  });

  it('shows its course', () => {
    const at = (time: number, usage: number) => ({ time, usage, allowed: 2, waiting: 0, pegged: 0 });
    const first = stepCpu(undefined, at(0, 0)).state;
    const second = stepCpu(first, at(10_000, 5_000_000)).state;
    expect(cpuEvidence(second)).toEqual({ cpu: { samples: [[10_000, 25]] } });
    const later = Array.from({ length: 100 }, (_, more) => more + 2).reduce(
      (state, more) => stepCpu(state, at(more * 10_000, more * 5_000_000)).state,
      second,
    );
    expect(later.course).toHaveLength(60);
    expect(cpuEvidence(later)).toMatchObject({ cpu: { baseline: 25 } });
  });

  it('sees one thread at full speed on a node of 64 cores, and threads that are its habit', () => {
    const idle = { seconds: 120, share: 0.2 / 64 };
    const miner = { seconds: 60, share: 1 / 64, pegged: 1 };
    expect(live([idle, miner], 64)).toHaveLength(1);
    expect(live([{ seconds: 300, share: 0.9 / 64, jitter: 0.3 }, miner], 64)).toEqual([]);
  });

  it('sees a thread without rest that gets little on a node that is full, and none where that is its habit', () => {
    const starved = { seconds: 120, share: 0.1, pegged: 1 };
    expect(live([{ seconds: 120, share: 0.02 }, starved])).toHaveLength(1);
    expect(live([{ seconds: 300, share: 0.4, jitter: 0.3 }, starved])).toEqual([]);
    // More threads than it may use CPUs are no more than those.
    expect(
      live([
        { seconds: 300, share: 0.7, jitter: 0.3 },
        { ...starved, pegged: 20 },
      ]),
    ).toEqual([]);
  });

  it('sees a miner that holds back, as even as a clock, and no service that comes and goes', () => {
    const idle = { seconds: 300, share: 0.2, jitter: 0.5 };
    const [at] = live([idle, { seconds: 300, share: 0.7 }]);
    expect(at).toBeGreaterThan(400);
    expect(at).toBeLessThanOrEqual(440);
    expect(live([idle, { seconds: 300, share: 0.7, jitter: 0.2 }])).toEqual([]);
    expect(live([idle, { seconds: 300, share: 0.7, jitter: 0.2, starved: 1 }])).toHaveLength(1);
    expect(live([idle, { seconds: 600, share: 0.3 }])).toEqual([]);
    expect(live([{ seconds: 900, share: 0.5 }])).toEqual([]);
  });

  it('goes by the habit of the workload in a new container', () => {
    const begin = stepCpu(
      undefined,
      { time: 0, usage: 0, allowed: 2, waiting: 0, pegged: 0 },
      { mean: 0.2, learned: 1e6 },
    );
    let { state } = begin;
    const rules: string[] = [];
    for (let time = 10_000; time <= 60_000; time += 10_000) {
      const step = stepCpu(state, { time, usage: time * 2000, allowed: 2, waiting: 0, pegged: 0 });
      state = step.state;
      rules.push(...step.findings.map(({ rule }) => rule));
    }
    expect(rules).toEqual(['cpu-anomaly']);
  });

  it('says so once, and once more after a rest', () => {
    const busy = { seconds: 300, share: 0.95 };
    expect(live([{ seconds: 60, share: 0.1 }, busy])).toHaveLength(1);
    expect(live([busy, { seconds: 60, share: 0.1 }, busy])).toHaveLength(2);
  });

  it('measures against the quota, not the machine', () => {
    expect(live([{ seconds: 60, share: 0.95 }], 0.5)).toHaveLength(1);
  });

  it('says nothing about short bursts', () => {
    const burst = [
      { seconds: 30, share: 1 },
      { seconds: 10, share: 0.2 },
    ];
    expect(live(Array.from({ length: 20 }, () => burst).flat())).toEqual([]);
  });

  it('says nothing about a container that is always busy', () => {
    expect(
      live([
        { seconds: 600, share: 0.8 },
        { seconds: 120, share: 1 },
      ]),
    ).toEqual([]);
  });

  it('starts anew when the counter went back, as after a restart', () => {
    const { state } = stepCpu(undefined, { time: 0, usage: 500, allowed: 1, waiting: 0, pegged: 0 });
    expect(stepCpu(state, { time: 10_000, usage: 20, allowed: 1, waiting: 0, pegged: 0 })).toMatchObject({
      state: { habit: { mean: undefined }, since: undefined },
      findings: [],
    });
  });

  it('never suspects what stays below twice its habit and never fills a CPU', () => {
    const phase = fc.record({
      seconds: fc.integer({ min: 10, max: 200 }),
      share: fc.double({ min: 0.45, max: 0.89, noNaN: true }),
    });
    fc.assert(fc.property(fc.array(phase, { maxLength: 10 }), (phases) => live(phases).length === 0));
  });
});

describe('ThreadUse', () => {
  it('counts the threads that work, and not those that rest', async () => {
    // Two workers that compute; the other threads of Node rest. The machine may be busy, so that a little is enough.
    const work = 'for (let until = Date.now() + 20_000; Date.now() < until; );';
    const script = `const { Worker } = require('node:worker_threads');
      for (let n = 0; n < 2; n++) new Worker(${JSON.stringify(work)}, { eval: true });
      setTimeout(() => process.exit(), 20_000); console.log('ready');`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      const use = new ThreadUse('/proc');
      const look = () => use.pegged([child.pid as number], 0.1, performance.now());
      expect(look()).toBe(0);
      await expect.poll(look, { timeout: 15_000, interval: 1000 }).toBe(2);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('counts one that never rests, however little of a CPU the others leave it', async () => {
    const others = Array.from({ length: 8 }, () => onFirstCpu('while :; do :; done'));
    const resting = onFirstCpu('while :; do sleep 0.1; done');
    try {
      const pids = others.map(({ pid }) => pid as number);
      const use = new ThreadUse('/proc');
      const look = () => use.pegged([...pids, resting.pid as number], 0.9, performance.now());
      await pause(500);
      expect(look()).toBe(0);
      await pause(5000);
      expect(look()).toBe(pids.length);
    } finally {
      for (const child of [...others, resting]) child.kill('SIGKILL');
    }
  });
});

function onFirstCpu(script: string) {
  return spawn('taskset', ['--cpu-list', '0', 'sh', '-c', script], { stdio: 'ignore' });
}
