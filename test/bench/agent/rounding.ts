import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Detection } from '../../../api/detection.ts';
import { AgentProcess } from '../load/agent-process.ts';
import { inCgroup } from '../load/storm.ts';
import type { Measurement } from './measure.ts';

const PATIENCE_MS = 30_000;

const METHOD =
  'One thread of floating-point work that changes its rounding mode every 4,096 operations, under an innocent name; ' +
  'from its start until the detection is printed. x86_64 only.';

export async function rounding({ grounds, load }: Measurement) {
  if (process.arch !== 'x64')
    return { method: METHOD, skipped: 'This architecture shows no rounding modes.' };
  const { promise: found, resolve } = Promise.withResolvers<number>();
  const agent = await AgentProcess.start({
    cgroup: grounds.path,
    onLine(line) {
      const { evidence } = JSON.parse(line) as Detection;
      if (JSON.stringify(evidence).includes('randomx-rounding')) resolve(performance.now());
    },
  });
  const began = performance.now();
  const burner = spawn('/bin/sh', inCgroup(grounds.cgroup, [load.rounding]), { stdio: 'ignore' });
  try {
    const timer = setTimeout(resolve, PATIENCE_MS, Number.NaN);
    const seconds = ((await found) - began) / 1000;
    clearTimeout(timer);
    return { method: METHOD, found: !Number.isNaN(seconds), seconds: Number(seconds.toFixed(2)) };
  } finally {
    burner.kill('SIGKILL');
    await once(burner, 'exit');
    await agent.stop();
  }
}
