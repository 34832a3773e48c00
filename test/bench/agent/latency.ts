import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Detection } from '../../../api/detection.ts';
import { AgentProcess } from '../load/agent-process.ts';
import { ControlSide } from '../load/control-side.ts';
import { Plants } from '../load/plants.ts';
import { reporting } from '../load/reporting.ts';
import type { Measurement } from './measure.ts';

const SAMPLES = 1000;
const A_SECOND = 20;

const METHOD =
  `${SAMPLES} planted miners, ${A_SECOND} a second, each with an argument of its own, ten a pod. From the exec, as the ` +
  "kernel stamped it (whole milliseconds), until the webhook's acknowledgement passed the relay in front of it, which is " +
  'in the process of the webhook. The webhook is the real one, over objects in memory: what the API server takes is not ' +
  'in it (`npm run bench -- cluster` has that). Acknowledged means written to the disk of the node first.';

export async function latency({ grounds, load }: Measurement) {
  const took = new Map<string, number>();
  const note = ({ id, time }: Detection) => {
    if (!took.has(id)) took.set(id, performance.timeOrigin + performance.now() - Date.parse(time));
  };
  await using control = await ControlSide.open(note);
  const program = join(grounds.folder, 'xmrig');
  copyFileSync(load.nothing, program);
  const plants = new Plants({ grounds, control, storms: load, program });
  const agent = await AgentProcess.start({
    cgroup: grounds.path,
    args: await reporting(grounds.folder, control),
  });
  try {
    await plants.plant(SAMPLES, A_SECOND);
    await plants.settled(agent);
    return {
      method: METHOD,
      ...plants.outcome(),
      execToAcknowledgedMs: quantiles([...took.values()]),
      agent: agent.footprint,
    };
  } finally {
    await agent.stop();
  }
}

function quantiles(samples: number[]) {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) =>
    Math.round((sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0) * 10) / 10;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1), samples: sorted.length };
}
