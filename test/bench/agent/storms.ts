import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { AgentProcess } from '../load/agent-process.ts';
import { type Footprint, footprintOf } from '../load/footprint.ts';
import type { Measurement } from './measure.ts';

const RATES = [256, 512, 1024, 2048, 4096, 8192];
const SECONDS = 4;
const SNOOP_START_MS = 1000;

/** Each with an argument of its own, below a device where nothing can be made; or all the same. */
const KINDS = { different: '/dev/null/', identical: undefined } as const;

const METHOD =
  `Static programs of four instructions, vforked at a steady rate for ${SECONDS} s: each with an argument of its own ` +
  '(different), or all the same (identical). Sent: execve succeeded. Seen: exec events of the watched cgroup that reached ' +
  'user space. Folded: harmless repeats above the rate of a cgroup, which the kernel counted instead. Dropped: exec events ' +
  'that found no room in the ring, of the whole machine. CPU: user and system time of the process over the storm and until everything was read; what the ' +
  'programs in the kernel take is in the slow-down. execsnoop runs at the same time and sees the execs of the whole machine.';

export async function storms({ grounds, load }: Measurement) {
  const rows = [];
  const storms = Object.entries(KINDS).flatMap(([kind, prefix]) =>
    RATES.map((rate) => ({ kind, prefix, rate })),
  );
  for (const { kind, prefix, rate } of storms) {
    const agent = await AgentProcess.start({ cgroup: grounds.path });
    const snoop = await startSnoop();
    const before = { agent: agent.footprint, snoop: snoop.footprint(), counts: await agent.counts() };
    const { sent, failed, seconds } = await load.run({
      kind: 'exec',
      rate,
      count: rate * SECONDS,
      workers: 2,
      cgroup: grounds.cgroup,
      ...(prefix === undefined ? {} : { prefix }),
    });
    const counts = await read(agent);
    const after = { agent: agent.footprint, snoop: snoop.footprint() };
    const grown = (name: string) => (counts.get(name) ?? 0) - (before.counts.get(name) ?? 0);
    const dropped = grown('events_dropped_total{type="exec"}');
    const folded = grown('events_folded_total{type="exec"}');
    // The generator itself is one more; the shell before it was executed outside.
    const seen = grown('executions_total') - 1;
    rows.push({
      kind,
      rate,
      reached: Math.round(sent / seconds),
      sent,
      failed,
      seen,
      folded,
      dropped,
      accounted: dropped === 0 ? seen + folded === sent : sent - seen - folded <= dropped,
      agent: cost(before.agent, after.agent, sent),
      execsnoop: { ...cost(before.snoop, after.snoop, sent), lost: snoop.lost() },
    });
    await snoop.stop();
    await agent.stop();
  }
  return { method: METHOD, rows };
}

function cost(before: Footprint, after: Footprint, execs: number) {
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
  return {
    cpuSeconds: Number(cpuSeconds.toFixed(2)),
    cpuMicrosecondsPerExec: Math.round((cpuSeconds * 1e6) / execs),
    rssMiB: after.rssMiB,
    pssMiB: after.pssMiB,
  };
}

/** The counts once two looks in a row are the same: all that was in the ring has been read. */
async function read(agent: AgentProcess): Promise<Map<string, number>> {
  for (let last = -1; ; ) {
    const counts = await agent.counts();
    const executions = counts.get('executions_total') ?? 0;
    if (executions === last) return counts;
    last = executions;
    await pause(500);
  }
}

async function startSnoop() {
  // It finds its tracepoints in tracefs, which is not mounted everywhere: it gets one that goes when it does.
  const inItsOwn = 'mount -t tracefs tracefs /sys/kernel/tracing && exec /usr/sbin/execsnoop';
  const child: ChildProcess = spawn('unshare', ['--mount', '/bin/sh', '-c', inItsOwn], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let lost = 0;
  child.stderr?.on('data', (chunk: Buffer) => {
    for (const [, count] of chunk.toString().matchAll(/lost (\d+)/gi)) lost += Number(count);
  });
  child.stdout?.resume();
  // Its heading stays in a buffer, so that nothing says when its programs are attached.
  await pause(SNOOP_START_MS);
  return {
    footprint: () => footprintOf(child.pid as number),
    lost: () => lost,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}
