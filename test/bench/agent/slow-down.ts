import { AgentProcess } from '../load/agent-process.ts';
import type { StormOptions } from '../load/storm.ts';
import type { Measurement } from './measure.ts';

const PAIRS = 9;

const LOADS: Readonly<Record<string, Pick<StormOptions, 'kind' | 'count' | 'workers' | 'program'>>> = {
  /** What builds and scripts do: a dynamically linked program, one after the other. */
  execHeavy: { kind: 'exec', count: 3000, workers: 1, program: '/bin/true' },
  connectHeavy: { kind: 'connect', count: 30_000, workers: 1 },
  execHeavyAllCores: { kind: 'exec', count: 6000, workers: 2, program: '/bin/true' },
};

const METHOD =
  `Each load as fast as it goes, ${PAIRS} times without and ${PAIRS} times with the agent, taking turns; which comes first ` +
  'alternates. The slow-down is that of the medians of wall time; beside it the median of the pairs, for a load of the ' +
  'machine that drifts, and the fastest of each, which were disturbed least. One worker leaves the other core to the agent, as a ' +
  'node that is not full does; with a worker a core everything that the agent computes is taken from the load. A load ' +
  'that does nothing but start programs or connect is the worst case, not a workload.';

export async function slowDown({ grounds, load, log }: Measurement) {
  const times: Record<string, { without: number[]; with: number[] }> = {};
  for (const name of Object.keys(LOADS)) times[name] = { without: [], with: [] };
  const round = async (side: 'with' | 'without') => {
    const agent = side === 'with' ? await AgentProcess.start({ cgroup: grounds.path }) : undefined;
    for (const [name, one] of Object.entries(LOADS)) {
      const { seconds } = await load.run({ ...one, rate: 0, cgroup: grounds.cgroup });
      times[name]?.[side].push(seconds);
    }
    await agent?.stop();
  };
  for (let pair = 0; pair < PAIRS; pair++) {
    const sides = ['without', 'with'] as const;
    for (const side of pair % 2 === 0 ? sides : sides.toReversed()) await round(side);
    log(`  pair ${pair + 1} of ${PAIRS}`);
  }
  const rows = Object.entries(times).map(([name, { without, with: beside }]) => {
    const [before, after] = [median(without), median(beside)];
    return {
      load: name,
      ...LOADS[name],
      medianSecondsWithout: round3(before),
      medianSecondsWith: round3(after),
      slowDownPercent: percent(after / before),
      pairsPercent: percent(median(beside.map((seconds, pair) => seconds / (without[pair] ?? seconds)))),
      fastestPercent: percent(Math.min(...beside) / Math.min(...without)),
      secondsWithout: without.map(round3),
      secondsWith: beside.map(round3),
    };
  });
  return { method: METHOD, rows };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const percent = (ratio: number) => Math.round((ratio - 1) * 1000) / 10;
const round3 = (value: number) => Math.round(value * 1000) / 1000;
