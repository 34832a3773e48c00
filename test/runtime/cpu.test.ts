import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../api/finding.ts';
import { type CpuState, cpuEvidence, stepCpu } from '../../runtime/detectors/cpu.ts';

/** Runs a container through phases of `seconds` at `share` of `allowed` CPUs, sampled every 10 s; when it was reported. */
function live(
  phases: { seconds: number; share: number }[],
  allowed = 2,
  hear: (finding: Finding) => void = () => {},
): number[] {
  let state: CpuState | undefined;
  let time = 0;
  let usage = 0;
  const reports: number[] = [];
  const look = () => {
    const step = stepCpu(state, { time, usage, allowed });
    state = step.state;
    if (step.findings.length > 0) reports.push(time / 1000);
    step.findings.forEach(hear);
  };
  look();
  for (const { seconds, share } of phases) {
    for (let passed = 0; passed < seconds; passed += 10) {
      time += 10_000;
      usage += 10_000_000 * share * allowed;
      look();
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
    const rules = (phases: { seconds: number; share: number }[]) => {
      const found: string[] = [];
      live(phases, 2, (finding) => found.push(`${finding.rule} ${finding.score}`));
      return found;
    };
    const busy = { seconds: 120, share: 1 };
    expect(rules([{ seconds: 120, share: 0.2 }, busy])).toEqual(['cpu-anomaly 30']);
    expect(rules([busy])).toEqual(['cpu-saturation 20']);
  });

  it('shows its course', () => {
    const first = stepCpu(undefined, { time: 0, usage: 0, allowed: 2 }).state;
    const second = stepCpu(first, { time: 10_000, usage: 5_000_000, allowed: 2 }).state;
    expect(cpuEvidence(second)).toEqual({ cpu: { samples: [[10_000, 25]] } });
    const later = Array.from({ length: 100 }, (_, at) => at + 2).reduce(
      (state, at) => stepCpu(state, { time: at * 10_000, usage: at * 5_000_000, allowed: 2 }).state,
      second,
    );
    expect(later.course).toHaveLength(60);
    expect(cpuEvidence(later)).toMatchObject({ cpu: { baseline: 25 } });
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
    const { state } = stepCpu(undefined, { time: 0, usage: 500, allowed: 1 });
    expect(stepCpu(state, { time: 10_000, usage: 20, allowed: 1 })).toMatchObject({
      state: { baseline: undefined },
      findings: [],
    });
  });

  it('never suspects below the threshold, whatever comes', () => {
    const phase = fc.record({
      seconds: fc.integer({ min: 10, max: 200 }),
      share: fc.double({ min: 0, max: 0.89, noNaN: true }),
    });
    fc.assert(fc.property(fc.array(phase, { maxLength: 10 }), (phases) => live(phases).length === 0));
  });
});
