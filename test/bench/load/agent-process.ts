import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BUNDLE } from '../../../build/bundle.ts';
import { type Footprint, footprintOf } from './footprint.ts';
import { imageSettings } from './image-settings.ts';

export interface AgentProcessOptions {
  /** Path of the cgroup that it watches. */
  cgroup: string;
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Options of Node beside those of the image. */
  flags?: readonly string[];
  /** Gets what it prints, line by line. */
  onLine?: (line: string) => void;
  /** Folder of the bundle; that of the checkout unless given. */
  bundle?: string;
}

/** Of a descriptor that may be closed by now. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** A link, a program or a map, as bpftool(8) numbers them. */
export interface KernelThing {
  kind: string;
  id: string;
}

/** The agent as its image runs it: the bundle, with the flags and the environment of the Dockerfile. */
export class AgentProcess {
  readonly #child: ChildProcess;
  readonly #metrics: string;

  readonly #onExit = () => this.#child.kill('SIGKILL');

  private constructor(child: ChildProcess, metrics: string) {
    this.#child = child;
    process.once('exit', this.#onExit);
    this.#metrics = metrics;
  }

  /** Resolves when every program is attached. */
  static async start({
    cgroup,
    args = ['--standalone'],
    env,
    flags: further = [],
    onLine,
    bundle = BUNDLE,
  }: AgentProcessOptions): Promise<AgentProcess> {
    const port = await freePort();
    const { flags, environment } = imageSettings('agent');
    const child = spawn(
      process.execPath,
      [
        ...flags,
        ...further,
        join(bundle, 'kubesentry.mjs'),
        'agent',
        '--cgroup',
        cgroup,
        '--metrics-port',
        `${port}`,
        ...args,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment, ...env } },
    );
    const lines = createInterface({ input: child.stdout });
    if (onLine) lines.on('line', onLine);
    const errors = createInterface({ input: child.stderr });
    const said: string[] = [];
    for await (const line of errors) {
      if (line.startsWith('watching ')) break;
      said.push(line);
    }
    child.stderr.resume();
    if (child.exitCode !== null) throw new Error(`The agent ended at once: ${said.join('\n')}`);
    return new AgentProcess(child, `http://127.0.0.1:${port}/metrics`);
  }

  get footprint(): Footprint {
    return footprintOf(this.#child.pid as number);
  }

  /** What it holds in the kernel, by kind and number. */
  get held(): KernelThing[] {
    const folder = `/proc/${this.#child.pid}/fdinfo`;
    const text = readdirSync(folder)
      .map((file) => textOf(join(folder, file)))
      .join('');
    return [...text.matchAll(/^(link|prog|map)_id:\s*(\d+)/gm)].map(([, kind = '', id = '']) => ({
      kind,
      id,
    }));
  }

  /** What it counts, by the name of the metric with its labels. */
  async counts(): Promise<Map<string, number>> {
    const text = await (await fetch(this.#metrics)).text();
    const values = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      values.map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at).replace(/^kubesentry_agent_/, ''), Number(line.slice(at + 1))];
      }),
    );
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    process.off('exit', this.#onExit);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
