import type { Finding } from '../../api/finding.ts';
import { finding } from '../signal.ts';

/** CPU time of one container at one moment. */
export interface CpuSample {
  /** Milliseconds of any clock that never goes back. */
  time: number;
  /** CPU time used so far, microseconds. */
  usage: number;
  /** For how long somebody in it waited for a CPU so far, microseconds; 0 where the kernel does not count that. */
  waiting: number;
  /** CPUs that it may use: its quota, or all of them. */
  allowed: number;
  /**
   * Threads that for SATURATED of the time since the sample before had a CPU, or wanted one that others had; 0 where
   * nobody looked.
   */
  pegged: number;
}

/** What is remembered of a container between samples. */
export interface CpuState {
  last: CpuSample;
  habit: CpuHabit;
  /** When the load at hand began; undefined while there is none. */
  since: number | undefined;
  reported: boolean;
  /** The latest samples, oldest first: time, CPUs in use, and these with those that others had when it wanted one. */
  course: readonly (readonly [time: number, cpus: number, wanted: number])[];
}

/** What a workload usually takes. It outlives a container. */
export interface CpuHabit {
  /** CPUs, in the mean while there was no load; undefined until something was learned. */
  mean: number | undefined;
  /** How long it was learned, milliseconds. */
  learned: number;
}

const NO_HABIT: CpuHabit = { mean: undefined, learned: 0 };

/** Ten minutes of samples. */
const COURSE = 60;
/** Columns of it. */
const CPUS = 1;
const WANTED = 2;

/** From this share of what it may use, or a thread of one CPU, it counts as full. */
export const SATURATED = 0.9;
const SUSTAINED_MS = 30_000;

/**
 * Miners that hold back, or that hand their work from thread to thread, are as even as a clock in what they use, or where
 * others are in their way in what they want: within a tenth, for two minutes, and at least twice the habit.
 */
const EVEN = 0.1;
const EVEN_MS = 120_000;
const EVEN_CPUS = 0.4;
const ABOVE_HABIT = 2;

/** The habit follows slowly, with this time constant, so that a miner cannot teach it soon. */
const MEMORY_MS = 10 * 60_000;

/** A container whose habit is at least this share of its load is a busy one: the load says nothing about it. */
const BUSY = 0.6;
const LEARNED_MS = 60_000;

/** Who has watched a workload for a day knows it as well as anybody. */
export const LEARNED_MOST_MS = 24 * 3_600_000;

/**
 * One step of the state machine of a container. The finding comes once, when a load has lasted for more than 30 s and is
 * not its habit. It is a suspicion and never more: no score of it is enough to contain.
 */
export function stepCpu(
  state: CpuState | undefined,
  sample: CpuSample,
  inherited: CpuHabit = NO_HABIT,
): { state: CpuState; findings: Finding[] } {
  if (!state || sample.time <= state.last.time || sample.usage < state.last.usage) {
    const habit = state?.habit ?? inherited;
    return { state: { last: sample, habit, since: undefined, reported: false, course: [] }, findings: [] };
  }
  const elapsed = sample.time - state.last.time;
  const cpus = (sample.usage - state.last.usage) / 1000 / elapsed;
  const wanted = cpus + (sample.waiting - state.last.waiting) / 1000 / elapsed;
  const course = [...state.course.slice(1 - COURSE), [sample.time, cpus, wanted] as const];
  const full = fullCpus(cpus, sample);
  if (full === 0) return uneventful({ ...state, last: sample, course }, cpus, elapsed);

  const since = state.since ?? state.last.time;
  const isHabit = isKnown(state.habit) && state.habit.mean >= BUSY * full;
  const report = sample.time - since > SUSTAINED_MS && !isHabit && !state.reported;
  return {
    state: { ...state, last: sample, course, since, reported: state.reported || report },
    findings: report ? [suspicion(loadOf(cpus, sample), sample.time - since, state.habit)] : [],
  };
}

/** The course as evidence, in percent of what it may use; `baseline` only where a habit is known. */
export function cpuEvidence({ course, habit, last: { allowed } }: CpuState): Record<string, unknown> {
  const baseline = isKnown(habit) ? { baseline: percentOf(habit.mean, allowed) } : {};
  return { cpu: { samples: course.map(([time, cpus]) => [time, percentOf(cpus, allowed)]), ...baseline } };
}

/** How many CPUs are full: all that it may use, or those that its busiest threads want; 0 when none is. */
function fullCpus(cpus: number, { allowed, pegged }: CpuSample): number {
  return cpus >= SATURATED * allowed ? allowed : Math.min(pegged, allowed);
}

/** Nothing is full: the habit is learned, and an even load is looked for. */
function uneventful(
  state: CpuState,
  cpus: number,
  elapsed: number,
): { state: CpuState; findings: Finding[] } {
  const { habit, course, last } = state;
  const even = Math.min(evenSince(course, CPUS), evenSince(course, WANTED));
  const wanted = course.at(-1)?.[WANTED] ?? cpus;
  const isAbove = isKnown(habit) && wanted >= EVEN_CPUS && cpus >= ABOVE_HABIT * habit.mean;
  const lasts = isAbove && last.time - even >= EVEN_MS;
  const report = lasts && !state.reported;
  const weight = 1 - Math.exp(-elapsed / MEMORY_MS);
  const learnt: CpuHabit = {
    mean: habit.mean === undefined ? cpus : habit.mean + weight * (cpus - habit.mean),
    learned: Math.min(habit.learned + elapsed, LEARNED_MOST_MS),
  };
  return {
    // An even load that is far above the habit may be a miner, which must not become one.
    state: { ...state, habit: isAbove ? habit : learnt, since: undefined, reported: lasts },
    findings: report ? [suspicion(`took an even ${cpus.toFixed(1)} CPUs`, last.time - even, habit)] : [],
  };
}

/** Since when one column of the course has hardly changed. */
function evenSince(course: CpuState['course'], column: typeof CPUS | typeof WANTED): number {
  const now = course.at(-1)?.[column] ?? 0;
  let since = Number.POSITIVE_INFINITY;
  for (const sample of course.toReversed()) {
    if (Math.abs(sample[column] - now) > EVEN * now) break;
    [since] = sample;
  }
  return since;
}

function loadOf(cpus: number, { allowed, pegged }: CpuSample): string {
  return cpus >= SATURATED * allowed
    ? `took all of the ${allowed.toFixed(1)} CPUs that it may use`
    : `gave ${pegged === 1 ? 'one thread' : `${pegged} threads`} no rest`;
}

function isKnown(habit: CpuHabit): habit is CpuHabit & { mean: number } {
  return habit.mean !== undefined && habit.learned >= LEARNED_MS;
}

/** Against a habit it is worth a report; where none is known it only supports other findings. */
function suspicion(load: string, lasted: number, habit: CpuHabit): Finding {
  const usual = isKnown(habit) ? `its habit is ${habit.mean.toFixed(1)} CPUs` : 'no habit of it is known';
  const message = `For ${Math.round(lasted / 1000)} s it ${load}; ${usual}.`;
  return finding(isKnown(habit) ? 'cpu-anomaly' : 'cpu-saturation', 'cpu', message);
}

function percentOf(cpus: number, allowed: number): number {
  return Math.round((cpus / Math.max(allowed, 0.001)) * 100);
}
