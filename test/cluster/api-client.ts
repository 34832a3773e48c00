import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { kubectlCommand, type RunningCluster } from './cluster.ts';

export interface Answer<T> {
  status: number;
  body: T;
}

/**
 * The API server of a cluster in another network namespace, over `kubectl proxy` on a Unix socket: a request takes
 * milliseconds where a kubectl of its own takes a tenth of a second of CPU.
 */
export class ApiClient implements AsyncDisposable {
  readonly #close: () => Promise<void>;
  readonly #dispatcher: Agent;

  private constructor(dispatcher: Agent, close: () => Promise<void>) {
    this.#dispatcher = dispatcher;
    this.#close = close;
  }

  static async open(cluster: RunningCluster): Promise<ApiClient> {
    const socketPath = join(cluster.folder, 'api.sock');
    rmSync(socketPath, { force: true });
    const [command = '', ...args] = kubectlCommand(cluster.name);
    const proxy = spawn(command, [...args, 'proxy', '--unix-socket', socketPath], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(proxy, 'exit');
    const first = await Promise.race([once(proxy.stdout, 'data'), ended]);
    if (!(first[0] instanceof Buffer)) throw new Error('kubectl proxy ended before it served.');
    const dispatcher = new Agent({ connect: { socketPath }, connections: 32, bodyTimeout: 0 });
    return new ApiClient(dispatcher, async () => {
      await dispatcher.destroy();
      proxy.kill();
      await ended;
    });
  }

  /** One request as the administrator; `path` begins with /api. */
  async ask<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<Answer<T>> {
    const response = await request(`http://localhost${path}`, {
      method,
      dispatcher: this.#dispatcher,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: response.statusCode, body: (await response.body.json()) as T };
  }

  /** Hands over each object of a watch with what happened to it, until `signal`; begins with those that exist. */
  async watch<T>(path: string, visit: (object: T, type: string) => void, signal: AbortSignal): Promise<void> {
    const { body } = await request(`http://localhost${path}?watch=true`, {
      dispatcher: this.#dispatcher,
      signal,
    });
    let rest = '';
    try {
      for await (const chunk of body.setEncoding('utf8')) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const { type, object } = JSON.parse(line) as { type: string; object: T };
          visit(object, type);
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
