import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createWebServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Detection } from '../../../api/detection.ts';
import { findHierarchies } from '../../../runtime/cgroup-tree.ts';
import { removeCgroup } from '../arena.ts';

const CLI = join(import.meta.dirname, '../../../cli/kubesentry.ts');
const WALLET =
  '44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A';

/** An address of the loopback network where the usual ports of DNS and TLS are free. */
const NAMES = '127.77.0.1';

const SECONDS = 12;
const PATIENCE_MS = 20_000;

/**
 * `kubesentry agent --standalone -o jsonl --cgroup PATH` as anybody runs it, and a loopback world for scripts to be bad
 * in: a pool, a web server, a resolver's address. Closing it leaves nothing behind.
 */
export class Stage implements AsyncDisposable {
  /** Every line that the agent printed, in its order. */
  readonly lines: Detection[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'kubesentry-matrix-'));
  readonly #cgroup: { folder: string; path: string };
  readonly #news = new EventEmitter({ captureRejections: true }).setMaxListeners(100);
  readonly #servers: Server[] = [];
  readonly #environment: Record<string, string> = {};
  #agent: ChildProcess | undefined;
  #rows = 0;

  private constructor(root: string) {
    const path = `/kubesentry-matrix-${process.pid}-${this.#folder.slice(-6)}`;
    this.#cgroup = { folder: join(root, path), path };
    mkdirSync(this.#cgroup.folder);
  }

  /** `options` of the agent; `before` runs already when it starts, in row 0, and connects to the pool. */
  static async open({ options = [], before }: { options?: string[]; before?: string } = {}): Promise<Stage> {
    const stage = new Stage(findHierarchies('/proc').v2?.root as string);
    try {
      const pool = await stage.#build();
      if (before !== undefined) {
        void stage.run(before);
        await once(pool, 'connection');
      }
      await stage.#watch(options);
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a script in a cgroup of its own, to its end; the path of the cgroup is how its detections are known. */
  async run(script: string): Promise<{ cgroup: string; output: string; code: number | null }> {
    const row = this.#rows++;
    const name = `row-${row}`;
    const folder = join(this.#folder, name);
    const cgroup = join(this.#cgroup.folder, name);
    mkdirSync(folder);
    mkdirSync(cgroup);
    writeFileSync(join(folder, 'script'), script);
    const enter = 'echo 0 > "$1/cgroup.procs" && exec timeout -k 1 "$2" bash script';
    const child = spawn('bash', ['-c', enter, 'bash', cgroup, `${SECONDS * 2}`], {
      cwd: folder,
      env: { ...process.env, ...this.#environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    const [code] = (await once(child, 'close')) as [number | null];
    return { cgroup: this.cgroupOf(row), output, code };
  }

  /** Path of the cgroup of a row. */
  cgroupOf(row: number): string {
    return `${this.#cgroup.path}/row-${row}`;
  }

  /** The newest versions of what was detected in a cgroup. */
  about(cgroup: string): Detection[] {
    const newest = new Map(this.lines.map((line) => [line.id, line]));
    return [...newest.values()].filter(({ container }) => container?.cgroup === cgroup);
  }

  /** The first detection in a cgroup that fits, as soon as there is one; undefined when there is none for long. */
  async detected(
    cgroup: string,
    fits: (detection: Detection) => boolean,
    patience = PATIENCE_MS,
  ): Promise<Detection | undefined> {
    const deadline = AbortSignal.timeout(patience);
    for (;;) {
      const found = this.about(cgroup).find(fits);
      if (found || deadline.aborted) return found;
      await once(this.#news, 'line', { signal: deadline }).catch(() => {});
    }
  }

  /** Waits until the agent has told everything that happened before. */
  async settled(): Promise<void> {
    const { cgroup } = await this.run('cp $PROGRAM xmrig; ./xmrig');
    if (!(await this.detected(cgroup, ({ process }) => process.sha256 !== null)))
      throw new Error('the agent says nothing any more');
  }

  async #build(): Promise<Server> {
    const program = join(this.#folder, 'program');
    const source = join(import.meta.dirname, 'stand-in.c');
    execFileSync('clang', ['-O1', '-Wall', '-Werror', '-static', '-pthread', '-o', program, source, '-lm']);
    copyFileSync('/bin/sleep', join(this.#folder, 'rest'));
    const layer = join(this.#folder, 'layer');
    const parts = ['lower', 'upper', 'work'].map((name) => join(this.#folder, name));
    for (const folder of [layer, ...parts]) mkdirSync(folder);
    const [lower, upper, work] = parts;
    execFileSync('mount', [
      ...['-t', 'overlay', 'overlay', '-o'],
      `lowerdir=${lower},upperdir=${upper},workdir=${work}`,
      layer,
    ]);
    const pool = answeringPool();
    const poolPort = await this.#listen(pool, 0, '127.0.0.1');
    const web = await this.#listen(webServer(readFileSync(program)), 0, '127.0.0.1');
    for (const port of [53, 443, 4444, 5555]) await this.#listen(closing(), port, NAMES);
    Object.assign(this.#environment, {
      PROGRAM: program,
      SLEEP: join(this.#folder, 'rest'),
      LAYER: layer,
      WALLET,
      NAMES,
      POOL_PORT: `${poolPort}`,
      WEB: `http://127.0.0.1:${web}`,
    });
    return pool;
  }

  async #listen(server: Server, port: number, address: string): Promise<number> {
    this.#servers.push(server);
    server.listen(port, address);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async #watch(options: string[]): Promise<void> {
    const standalone = ['agent', '--standalone', '-o', 'jsonl', '--cgroup', this.#cgroup.path, ...options];
    const agent = spawn(process.execPath, [CLI, ...standalone], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#agent = agent;
    createInterface({ input: agent.stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Detection);
      this.#news.emit('line');
    });
    const [ready] = (await once(createInterface({ input: agent.stderr }), 'line')) as [string];
    if (!ready.startsWith('watching ')) throw new Error(`the agent does not watch: ${ready}`);
  }

  async endAgent(): Promise<void> {
    if (!this.#agent || this.#agent.exitCode !== null) return;
    this.#agent.kill('SIGTERM');
    await once(this.#agent, 'exit');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endAgent();
    for (const server of this.#servers) server.close();
    await removeCgroup(this.#cgroup.folder);
    execFileSync('bash', ['-c', '! mountpoint -q "$0" || umount "$0"', join(this.#folder, 'layer')]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A pool as far as a client sees: each line is answered with a job. */
function answeringPool(): Server {
  return createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write('{"id":1,"jsonrpc":"2.0","result":{"status":"OK","job":{}}}\n'));
  });
}

function closing(): Server {
  return createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.end());
  });
}

function webServer(program: Buffer): Server {
  return createWebServer((request, response) => {
    const job = '#!/bin/sh\nsleep 0.05\n';
    const bodies: Record<string, string | Buffer> = {
      '/job': job,
      '/job.py': 'import time; time.sleep(0.05)\n',
      '/program': program,
    };
    // From a place far away things take longer, and who fetches them can be looked at.
    if (request.url === '/far') setTimeout(() => response.end(job), 500);
    else response.end(bodies[request.url ?? ''] ?? '<html>a page about xmrig</html>');
  });
}
