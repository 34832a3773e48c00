import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import type { Tap } from './tap.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export interface ReplicaOptions {
  name: string;
  kubeconfig: string;
  /** Between it and the API server. */
  tap: Tap;
  /** Where its log goes. */
  folder: string;
  /** Port of the address by which the API server calls any replica. */
  front: number;
  leaseSeconds: number;
  /** How wrong its clock is. */
  skewMs?: number;
}

/** One replica of the webhook as users run it: a process of its own, started by `kubesentry webhook`. */
export class Replica {
  readonly name: string;
  readonly tap: Tap;
  readonly port: number;
  readonly url: string;
  readonly #probe: number;
  readonly #child: ChildProcess;

  private constructor(name: string, tap: Tap, ports: readonly [number, number], child: ChildProcess) {
    this.name = name;
    this.tap = tap;
    [this.port, this.#probe] = ports;
    this.url = `https://127.0.0.1:${this.port}`;
    this.#child = child;
  }

  /** Resolves when it is ready. */
  static async start(options: ReplicaOptions): Promise<Replica> {
    const { name, folder, kubeconfig, front, leaseSeconds, skewMs = 0 } = options;
    const ports = [await freePort(), await freePort()] as const;
    const log = openSync(join(folder, `${name}.log`), 'a');
    const words = {
      host: '127.0.0.1',
      port: ports[0],
      'probe-port': ports[1],
      kubeconfig,
      url: `https://127.0.0.1:${front}`,
      identity: name,
      'lease-seconds': leaseSeconds,
      'drain-seconds': 0,
    };
    const args = Object.entries(words).flatMap(([option, value]) => [`--${option}`, String(value)]);
    const clock = skewMs === 0 ? [] : ['--import', join(import.meta.dirname, 'skewed-clock.mjs')];
    const child = spawn(
      process.execPath,
      [...clock, join(ROOT, 'cli', 'kubesentry.ts'), 'webhook', ...args],
      {
        stdio: ['ignore', log, log],
        env: { ...process.env, KUBESENTRY_TEST_SKEW_MS: String(skewMs) },
      },
    );
    closeSync(log);
    const replica = new Replica(name, options.tap, ports, child);
    await eventually(`ready replica ${name}`, async () => {
      if (child.exitCode !== null) {
        const tail = readFileSync(join(folder, `${name}.log`), 'utf8')
          .trimEnd()
          .split('\n')
          .slice(-3);
        throw new Error(`${name} ended: ${tail.join('\n')}`);
      }
      return (await replica.#ask('/readyz'))?.status === 200;
    }).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw error;
    });
    return replica;
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Value of a metric, added up over its labels. */
  async metric(name: string): Promise<number> {
    const text = (await this.#ask('/metrics'))?.text ?? '';
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** kill -9, or politely; resolves when it is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    if (!this.isAlive) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    await gone;
  }

  async #ask(path: string): Promise<{ status: number; text: string } | undefined> {
    try {
      const { statusCode, body } = await request(`http://127.0.0.1:${this.#probe}${path}`);
      return { status: statusCode, text: await body.text() };
    } catch {
      return undefined;
    }
  }
}
