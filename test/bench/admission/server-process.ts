import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { daemonSetReview } from './reviews.ts';

/** A webhook that is measured. */
export interface ServerProcess {
  name: string;
  /** Where it takes reviews. */
  url: string;
  /** Resident memory, MiB (Rss of smaps_rollup, proc(5)). */
  memory(): number;
  /** CPU used so far, milliseconds. */
  cpu(): number;
  stop(): Promise<void>;
}

/** Starts `node ...args`; resolves when it answers a review with 200. Its log goes to /dev/null. */
export async function startServer(
  name: string,
  args: readonly string[],
  url: string,
  { cwd, env }: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [...args], {
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let last = '';
  child.stderr.on('data', (chunk: Buffer) => {
    last = (last + chunk.toString('utf8')).slice(-2000);
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const proc = (file: string) => readFileSync(`/proc/${child.pid}/${file}`, 'utf8');
  for (let attempt = 0; !(await answers(url)); attempt++) {
    if (child.exitCode !== null || attempt > 300) {
      child.kill('SIGKILL');
      throw new Error(`${name} does not answer: ${last}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    name,
    url,
    memory: () => Number(/^Rss: +(\d+)/m.exec(proc('smaps_rollup'))?.[1] ?? 0) / 1024,
    cpu: () => {
      const fields = proc('stat').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) * 10;
    },
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const options = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      rejectUnauthorized: false,
      agent: false,
    };
    const sent = request(url, options, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    });
    sent.on('error', () => resolve(false));
    sent.setTimeout(1000, () => sent.destroy());
    sent.end(daemonSetReview(0).body);
  });
}
