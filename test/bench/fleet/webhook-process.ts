import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLE } from '../../../build/bundle.ts';
import { eventually } from '../../cluster/eventually.ts';
import { imageSettings } from '../load/image-settings.ts';
import { textOf } from './usage.ts';

/** What Node makes of the memory limit of the manifest: half of 768 MiB. */
const OLD_SPACE = '--max-old-space-size=384';

/** The webhook as its image starts it, one after the other. */
export class WebhookProcess {
  readonly #probes: string;
  readonly #log: string;
  readonly #options: readonly string[];
  #child: ChildProcess | undefined;

  /** `probes` is the address of its probe port, `log` the file of its output, `options` what stands behind `webhook`. */
  constructor(probes: string, log: string, options: readonly string[]) {
    this.#probes = probes;
    this.#log = log;
    this.#options = options;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const output = openSync(this.#log, 'a');
    const program = join(BUNDLE, 'kubesentry.mjs');
    const { flags, environment } = imageSettings('webhook');
    const words = [...flags, OLD_SPACE, program, 'webhook', '--drain-seconds=0', ...this.#options];
    const env = { ...process.env, ...environment };
    this.#child = spawn(process.execPath, words, { env, stdio: ['ignore', output, output] });
    closeSync(output);
    await eventually('ready webhook', () =>
      textOf(`${this.#probes}/readyz`).then(
        (text) => text === 'ok\n',
        () => false,
      ),
    );
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }
}
