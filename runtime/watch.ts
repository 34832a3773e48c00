import type { Action } from '../api/detection.ts';
import type { Finding } from '../api/finding.ts';
import type { EventView } from '../bpf/event-view.ts';
import { EVENT, VERDICT } from '../bpf/events.ts';
import type { Indicators } from '../detection/indicators.ts';
import type { Binaries } from './binary.ts';
import type { CgroupTree } from './cgroup-tree.ts';
import { type Containers, HOST } from './containers.ts';
import type { Correlator } from './correlator.ts';
import { judgeConnect } from './detectors/connect.ts';
import { DownloadExecuteDetector } from './detectors/download-execute.ts';
import { ExecDetector } from './detectors/exec.ts';
import { RandomxDetector } from './detectors/randomx.ts';
import { judgeStratum } from './detectors/stratum.ts';
import type { Enforcer } from './enforce.ts';
import type { Image } from './image.ts';
import type { KernelClock } from './kernel-clock.ts';
import { type Process, type Processes, ticksOf } from './processes.ts';
import type { Scope } from './scope.ts';
import { finding } from './signal.ts';

export interface WatchOptions {
  scope: Scope;
  v2: CgroupTree | undefined;
  v1: CgroupTree | undefined;
  containers: Containers;
  processes: Processes;
  binaries: Binaries;
  correlator: Correlator;
  enforcer: Enforcer;
  clock: KernelClock;
  indicators: Indicators;
}

/** A detection waits so long for the hash of its binary; it follows later when it takes longer. */
const HASH_MS = 100;
const NEIGHBOURS = 4;

/** Takes every event of the kernel to the tables and detectors that it concerns. */
export class Watch {
  readonly #options: WatchOptions;
  readonly #exec: ExecDetector;
  readonly #downloads = new DownloadExecuteDetector();
  readonly #randomx = new RandomxDetector();
  /** Whose hash was compared already. */
  #compared = new WeakSet<Image>();
  #indicators: Indicators;
  readonly #handlers: readonly (((event: EventView) => void) | undefined)[];
  #executions = 0;
  /** Hashes under way. */
  readonly #pending = new Set<Promise<void>>();

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#indicators = options.indicators;
    this.#exec = new ExecDetector(options.indicators);
    this.#handlers = this.#handlersByType();
  }

  set indicators(indicators: Indicators) {
    this.#indicators = indicators;
    this.#exec.indicators = indicators;
    this.#compared = new WeakSet();
  }

  /** One event, good until this returns. */
  readonly visit = (event: EventView): void => {
    this.#handlers[event.type]?.(event);
  };

  /** Exec events in scope. */
  get executions(): number {
    return this.#executions;
  }

  /** Waits for what is still being hashed. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** Cgroups and exits concern every table; the rest is looked at within the scope only. */
  #handlersByType(): ((event: EventView) => void)[] {
    const { scope, processes } = this.#options;
    const scoped = (handle: (event: EventView) => void) => (event: EventView) => {
      if (scope.has(event)) handle(event);
    };
    const connected = scoped((event) => this.#connected(event));
    const handlers: ((event: EventView) => void)[] = [];
    handlers[EVENT.cgroupMkdir] = (event) => this.#cgroupMade(event);
    handlers[EVENT.cgroupRmdir] = (event) => this.#cgroupRemoved(event);
    handlers[EVENT.exit] = (event) => processes.exited(event);
    handlers[EVENT.fork] = scoped((event) => processes.forked(event));
    handlers[EVENT.exec] = scoped((event) => this.#executed(event));
    handlers[EVENT.process] = scoped((event) => this.#found(event));
    handlers[EVENT.connect] = connected;
    handlers[EVENT.socket] = connected;
    handlers[EVENT.stratum] = scoped((event) => this.#spokeStratum(event));
    handlers[EVENT.fpu] = scoped((event) => this.#rounded(event));
    return handlers;
  }

  #cgroupMade(event: EventView): void {
    const { hierarchy, madeId: id, path } = event;
    const tree = this.#treeOf(hierarchy);
    if (!tree) return;
    tree.add(id, path);
    this.#options.enforcer.cgroupMade({ id, version: hierarchy === 0 ? 2 : 1 }, path);
  }

  #cgroupRemoved(event: EventView): void {
    const { hierarchy, madeId: id } = event;
    const tree = this.#treeOf(hierarchy);
    if (!tree) return;
    this.#options.enforcer.cgroupRemoved({ id, version: hierarchy === 0 ? 2 : 1 });
  }

  #treeOf(hierarchy: number): CgroupTree | undefined {
    const { v2, v1 } = this.#options;
    return hierarchy === 0 ? v2 : v1?.hierarchy.id === hierarchy ? v1 : undefined;
  }

  #executed(event: EventView): void {
    this.#executions++;
    const { ktime, verdict, nameMatch } = event;
    const process = this.#options.processes.executed(event);
    const findings = [...this.#exec.judge(process)];
    if (verdict !== VERDICT.none && !findings.some(({ rule }) => rule === 'miner-name')) {
      const { exe } = process.image;
      findings.push(
        finding('miner-name', nameMatch, `It runs under the name of a miner, which is listed.`, exe),
      );
    }
    const time = this.#options.clock.epoch(ktime);
    this.#judged(process, findings, time, verdict === VERDICT.enforced);
    const download = this.#downloads.executed(process, ktime);
    if (download) {
      this.#judged(download.process, download.findings, time, false, download.evidence);
    }
  }

  #found(event: EventView): void {
    const process = this.#options.processes.found(event);
    if (process)
      this.#judged(process, this.#exec.judge(process), this.#options.clock.epoch(event.ktime), false);
  }

  #connected(event: EventView): void {
    const verdict = judgeConnect(event, this.#indicators);
    const process = verdict && this.#options.processes.of(event);
    if (!process) return;
    this.#options.correlator.add({ ...verdict, process, time: this.#options.clock.epoch(event.ktime) });
  }

  #spokeStratum(event: EventView): void {
    const process = this.#options.processes.of(event);
    if (!process) return;
    const { findings, action, evidence } = judgeStratum(event);
    this.#judged(process, findings, this.#options.clock.epoch(event.ktime), false, evidence, action);
  }

  #rounded(event: EventView): void {
    const { tgid, startTime, ktime, mxcsr, samples } = event;
    const findings = this.#randomx.sample(tgid, startTime, ktime, mxcsr, samples);
    const process = findings.length > 0 ? this.#options.processes.of(event) : undefined;
    if (process) this.#judged(process, findings, this.#options.clock.epoch(ktime), false);
  }

  /** Hashes the binary where that can matter, acts, and reports. */
  #judged(
    process: Process,
    findings: readonly Finding[],
    time: number,
    killed: boolean,
    evidence: Record<string, unknown> = {},
    action: Action = 'none',
  ): void {
    const { image, container } = process;
    const compare = container !== HOST && this.#indicators.hashes.size > 0 && !this.#compared.has(image);
    if (findings.length === 0 && !compare) return;
    this.#compared.add(image);
    const work = this.#report(process, findings, time, killed ? 'killed' : action, evidence);
    this.#pending.add(work);
    void work.finally(() => this.#pending.delete(work));
  }

  async #report(
    process: Process,
    known: readonly Finding[],
    time: number,
    done: Action,
    evidence: Record<string, unknown>,
  ): Promise<void> {
    const { binaries, enforcer, correlator } = this.#options;
    const { pid, start, image } = process;
    const hash = binaries.sha256({
      pid,
      start: ticksOf(start),
      exe: image.exe,
      inode: image.inode,
      device: image.device,
      neighbours: above(process),
    });
    // Once killed, the binary cannot be read any more: it is hashed first, within bounds.
    const sha256 = await Promise.race([hash, timeout(HASH_MS)]);
    const findings = typeof sha256 === 'string' ? [...known, ...this.#exec.judgeHash(sha256)] : known;
    const action =
      done !== 'killed' && enforcer.mustDie(process, findings) && enforcer.kill(process) ? 'killed' : done;
    correlator.add({
      time,
      process,
      findings,
      action,
      evidence,
      ...(sha256 === undefined ? {} : { sha256 }),
    });
    if (sha256 !== undefined) return;
    const late = await hash;
    if (late === null) return;
    correlator.identify(process, late, Date.now());
    const listed = this.#exec.judgeHash(late);
    const killedLate = enforcer.mustDie(process, listed) && enforcer.kill(process);
    correlator.add({
      time,
      process,
      findings: listed,
      action: killedLate ? 'killed' : 'none',
      evidence: {},
      sha256: late,
    });
  }
}

/** Pids of the processes above `process`, also outside its container: whoever started it may see its file. */
function above(process: Process): number[] {
  const pids: number[] = [];
  for (let next = process.parent; next && pids.length < NEIGHBOURS; next = next.parent) pids.push(next.pid);
  return pids;
}

function timeout(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref());
}
