import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AgentProcess } from '../load/agent-process.ts';
import type { Measurement } from './measure.ts';

const VICTIMS = 2000;

const METHOD =
  'Static programs under a listed name whose first instructions make a file, at 200 a second, in enforce mode. ' +
  'A file that exists is a program that ran. The same program under an innocent name shows that it would.';

export async function killed({ grounds, load }: Measurement) {
  const agent = await AgentProcess.start({ cgroup: grounds.path, args: ['--standalone', '--enforce'] });
  try {
    const attempt = async (name: string, count: number) => {
      const program = join(grounds.folder, name);
      const traces = join(grounds.folder, `traces-of-${name}`);
      copyFileSync(load.nothing, program);
      mkdirSync(traces);
      const { sent, killed } = await load.run({
        kind: 'exec',
        rate: 200,
        count,
        cgroup: grounds.cgroup,
        program,
        prefix: join(traces, 'ran-'),
      });
      return { executed: sent, killed, ran: readdirSync(traces).length };
    };
    return {
      method: METHOD,
      victims: await attempt('xmrig', VICTIMS),
      innocent: await attempt('nginx', 100),
    };
  } finally {
    await agent.stop();
  }
}
