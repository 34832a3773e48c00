import type { Finding } from '../../api/finding.ts';
import { finding } from '../signal.ts';

/** CPU time of one container at one moment. */
export interface CpuSample {
  /** Milliseconds of any clock that never goes back. */
  time: number;
  /** CPU time used so far, microseconds. */
  usage: number;
  /** CPUs that it may use: its quota, or all of them. */
  allowed: number;
}

/** What is remembered of a container between samples. */
export interface CpuState {
  last: CpuSample;
  /** Mean share while it was not saturated; undefined until something was learned. */
  baseline: number | undefined;
  /** How long the share was learned from, milliseconds. */
  learned: number;
  /** When the saturation began; undefined while there is none. */
  since: number | undefined;
  reported: boolean;
  /** The latest shares, oldest first: time of the sample and percent of what it may use. */
  course: readonly (readonly [time: number, percent: number])[];
}

/** Ten minutes of samples. */
const COURSE = 60;

/** From this share of what it may use a container counts as saturated. */
const SATURATED = 0.9;
const SUSTAINED_MS = 30_000;

/** The baseline follows slowly, with this time constant, so that a miner cannot teach it soon. */
const MEMORY_MS = 10 * 60_000;

/** A container whose habit is at least this share is a busy one: saturation says nothing about it. */
const BUSY = 0.6;
const LEARNED_MS = 60_000;

/**
 * One step of the state machine of a container. The finding comes once, when the container has been saturated for more
 * than 30 s and that is not its habit. It is a suspicion and never more: no score of it is enough to contain.
 */
export function stepCpu(
  state: CpuState | undefined,
  sample: CpuSample,
): { state: CpuState; findings: Finding[] } {
  const start: CpuState = {
    last: sample,
    baseline: undefined,
    learned: 0,
    since: undefined,
    reported: false,
    course: [],
  };
  if (!state || sample.time <= state.last.time || sample.usage < state.last.usage)
    return { state: start, findings: [] };
  const elapsed = sample.time - state.last.time;
  const share = (sample.usage - state.last.usage) / 1000 / elapsed / Math.max(sample.allowed, 0.001);

  const course = [...state.course.slice(1 - COURSE), [sample.time, Math.round(share * 100)] as const];

  if (share < SATURATED) {
    const weight = 1 - Math.exp(-elapsed / MEMORY_MS);
    const baseline =
      state.baseline === undefined ? share : state.baseline + weight * (share - state.baseline);
    const learned = state.learned + elapsed;
    return {
      state: { last: sample, baseline, learned, since: undefined, reported: false, course },
      findings: [],
    };
  }

  const since = state.since ?? state.last.time;
  const sustained = sample.time - since > SUSTAINED_MS;
  const isHabit = state.learned >= LEARNED_MS && (state.baseline ?? 0) >= BUSY;
  const report = sustained && !isHabit && !state.reported;
  return {
    state: { ...state, last: sample, since, reported: state.reported || report, course },
    findings: report ? [saturation(sample, since, state)] : [],
  };
}

/** The course as evidence; `baseline` in percent, only where something was learned. */
export function cpuEvidence({ course, baseline, learned }: CpuState): Record<string, unknown> {
  const habit =
    learned >= LEARNED_MS && baseline !== undefined ? { baseline: Math.round(baseline * 100) } : {};
  return { cpu: { samples: course, ...habit } };
}

/** Against a habit it is worth a report; where none is known it only supports other findings. */
function saturation(sample: CpuSample, since: number, { baseline, learned }: CpuState): Finding {
  const seconds = Math.round((sample.time - since) / 1000);
  const isKnown = learned >= LEARNED_MS && baseline !== undefined;
  const habit = isKnown ? `its habit is ${Math.round(baseline * 100)} %` : 'no habit of it is known';
  return finding(
    isKnown ? 'cpu-anomaly' : 'cpu-saturation',
    'cpu',
    `For ${seconds} s it took all of the ${sample.allowed.toFixed(1)} CPUs that it may use; ${habit}.`,
  );
}
