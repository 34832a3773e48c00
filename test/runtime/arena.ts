import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Detection } from '../../api/detection.ts';
import { KubesentryError } from '../../api/errors.ts';
import { loadIndicators } from '../../detection/load.ts';
import { findHierarchies } from '../../runtime/cgroup-tree.ts';
import { stderrLog } from '../../runtime/log.ts';
import { Sensor } from '../../runtime/sensor.ts';
import { type Agent, type AgentOptions, startAgent } from '../../runtime/start.ts';

/** Why nothing of the kernel can be tested here; undefined when it can. Printed, so that a skip says why. */
export function whyNoKernel(): string | undefined {
  try {
    const hierarchies = findHierarchies('/proc');
    if (!hierarchies.v2) return report('cgroup v2 is not mounted');
    Sensor.load({ hierarchies, log: stderrLog('error') }).close();
    return undefined;
  } catch (error) {
    if (error instanceof KubesentryError) return report(`${error.code}: ${error.message}`);
    throw error;
  }
}

function report(reason: string): string {
  console.log(`skipped: ${reason}`);
  return reason;
}

/** How long anything may take before a test gives up on it, milliseconds. */
const PATIENCE_MS = 8000;

/**
 * An agent that watches a cgroup of its own, a scratch folder for stand-ins, and a way to run them in there.
 * Closing it leaves nothing behind.
 */
export class Arena implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'kubesentry-arena-'));
  /** Folder and path of the watched cgroup. */
  readonly cgroup: string;
  readonly path: string;
  readonly detections: Detection[] = [];
  readonly #news = new EventEmitter();
  readonly #children = new Set<ChildProcess>();
  #agent: Agent | undefined;

  private constructor(root: string) {
    this.path = `/kubesentry-arena-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
    this.cgroup = join(root, this.path);
    mkdirSync(this.cgroup);
  }

  static async open(options: Partial<AgentOptions> = {}): Promise<Arena> {
    const root = findHierarchies('/proc').v2?.root as string;
    const arena = new Arena(root);
    try {
      arena.#agent = await startAgent({
        node: 'test-node',
        indicators: await loadIndicators(),
        log: stderrLog('error'),
        cgroup: arena.path,
        repeatInterval: 50,
        onDetection: (detection) => {
          arena.detections.push(detection);
          arena.#news.emit('detection');
        },
        ...options,
      });
      return arena;
    } catch (error) {
      await arena.#clear();
      throw error;
    }
  }

  get agent(): Agent {
    return this.#agent as Agent;
  }

  /** A harmless program under another name: a copy of a binary of the system. */
  standIn(name: string, original = '/bin/sleep'): string {
    const path = join(this.folder, name);
    copyFileSync(original, path);
    return path;
  }

  /** Starts a program in the cgroup, or in a child of it; `argv0` is the name that it shows. */
  start(
    command: string[],
    { argv0 = command[0], cgroup = this.cgroup }: { argv0?: string | undefined; cgroup?: string } = {},
  ): ChildProcess {
    const child = spawn(
      '/bin/bash',
      [
        '-c',
        'echo 0 > "$1"; shift; exec -a "$@"',
        'bash',
        join(cgroup, 'cgroup.procs'),
        argv0 as string,
        ...command,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.folder },
    );
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    return child;
  }

  /** The same, to its end. */
  async run(
    command: string[],
    options: { argv0?: string; cgroup?: string } = {},
  ): Promise<{ code: number | null; signal: string | null; output: string }> {
    const child = this.start(command, options);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
    const [code, signal] = await once(child, 'close');
    return { code, signal, output };
  }

  /** The newest version of the first detection that fits, as soon as there is one. */
  async detected(fits: (detection: Detection) => boolean): Promise<Detection> {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const found = this.detections.findLast(fits);
      if (found) return found;
      await once(this.#news, 'detection', { signal: deadline }).catch(() => {
        const rules = this.detections.map(({ rule, process }) => `${rule} ${process.exe}`);
        throw new Error(`not detected within ${PATIENCE_MS} ms; what was: ${rules.join(', ') || 'nothing'}`);
      });
    }
  }

  /** Waits until the agent has read every event that happened before. */
  async settled(): Promise<void> {
    const marker = `marker-${Math.random().toString(36).slice(2)}`;
    await this.run([this.standIn('xmrig'), '0', marker]);
    await this.detected(({ process }) => process.argv.includes(marker));
  }

  /** A cgroup below the watched one. */
  child(name: string): string {
    const path = join(this.cgroup, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.close();
    await this.#clear();
  }

  async #clear(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await removeCgroup(this.cgroup);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Ends what still runs in a cgroup, and removes it with all below it. */
export async function removeCgroup(folder: string): Promise<void> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(folder, entry.name));
  }
  for (const pid of readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
    process.kill(Number(pid), 'SIGKILL');
  }
  // A killed process leaves its cgroup a moment later, and the kernel has no event for that.
  while (readFileSync(join(folder, 'cgroup.procs'), 'utf8') !== '') await pause(5);
  rmdirSync(folder);
}
