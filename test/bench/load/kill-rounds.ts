import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AgentProcess, type KernelThing } from './agent-process.ts';
import { ControlSide } from './control-side.ts';
import { Grounds } from './grounds.ts';
import { Plants } from './plants.ts';
import { reporting } from './reporting.ts';
import { Storms } from './storm.ts';

export interface KillRounds {
  rounds: number;
  /** Folder of the bundle; that of the checkout unless given. */
  bundle?: string;
  /** 0 to 1; when in its round the agent is killed. */
  random?: () => number;
}

export interface KillOutcome {
  rounds: number;
  planted: number;
  /** Detections that the webhook acknowledged, and how many of them are in incidents. */
  acknowledged: number;
  /** Ids that stand in the incidents of the cluster more than once. */
  twice: string[];
  /** Ids that were on disk when the agent was killed, and never arrived. */
  lostFromDisk: string[];
  /** What stayed in the kernel after a kill. */
  leftInKernel: KernelThing[];
}

const MINERS = 20;
const A_SECOND = 100;
/** Longer than the miners of a round take, so that some kills come after the last of them. */
const ROUND_MS = 400;

/**
 * An agent that reports to a real webhook is killed with SIGKILL at a random moment while miners start, and started
 * again over the same spool, round after round; then it may finish.
 */
export async function killRounds({ rounds, bundle, random = Math.random }: KillRounds): Promise<KillOutcome> {
  await using grounds = new Grounds();
  await using control = await ControlSide.open();
  const storms = await Storms.compile(grounds.folder);
  const program = join(grounds.folder, 'xmrig');
  copyFileSync(storms.nothing, program);
  const plants = new Plants({ grounds, control, storms, program });
  const args = await reporting(grounds.folder, control);
  const start = () =>
    AgentProcess.start({ cgroup: grounds.path, args, ...(bundle === undefined ? {} : { bundle }) });
  const onDisk = new Set<string>();
  const leftInKernel: KernelThing[] = [];
  let agent = await start();
  try {
    for (let round = 0; round < rounds; round++) {
      const { held } = agent;
      const planted = plants.plant(MINERS, A_SECOND);
      await pause(random() * ROUND_MS);
      await agent.stop('SIGKILL');
      for (const id of spooled(join(grounds.folder, 'spool'))) onDisk.add(id);
      await planted;
      leftInKernel.push(...(await stillThere(held)));
      agent = await start();
    }
    await plants.settled(agent);
  } finally {
    await agent.stop();
  }
  const inIncidents = await control.detectionIds();
  const { planted } = plants.outcome();
  return {
    rounds,
    planted,
    acknowledged: control.acknowledged.size,
    twice: inIncidents.filter((id, at) => inIncidents.indexOf(id) !== at),
    lostFromDisk: [...onDisk].filter((id) => !control.acknowledged.has(id)),
    leftInKernel,
  };
}

function spooled(folder: string): string[] {
  return readdirSync(folder).flatMap((file) => /^([0-9a-f]{32})\.json$/.exec(file)?.[1] ?? []);
}

/** The kernel lets go of what a process held a moment after its end. */
async function stillThere(held: readonly KernelThing[]): Promise<KernelThing[]> {
  const isThere = ({ kind, id }: KernelThing) => spawnSync('bpftool', [kind, 'show', 'id', id]).status === 0;
  let left = held.filter(isThere);
  for (let look = 0; left.length > 0 && look < 50; look++) {
    await pause(100);
    left = left.filter(isThere);
  }
  return left;
}
