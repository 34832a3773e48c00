import type { Finding } from '../api/finding.ts';
import type { EventView } from '../bpf/event-view.ts';
import { EVENT, EXEC_FLAG, VERDICT } from '../bpf/events.ts';
import type { KnownExecs } from '../bpf/known-execs.ts';
import type { Indicators } from '../detection/indicators.ts';
import { judgementOf, WARN_FROM } from '../detection/verdict.ts';
import type { CgroupTree } from './cgroup-tree.ts';
import type { Correlator } from './correlator.ts';
import type { Departures, Forgetful, Gone } from './departures.ts';
import { judgeConnect } from './detectors/connect.ts';
import { DownloadExecuteDetector } from './detectors/download-execute.ts';
import { ExecDetector } from './detectors/exec.ts';
import { judgePoolName } from './detectors/pool-name.ts';
import { RandomxDetector } from './detectors/randomx.ts';
import { judgeStratum } from './detectors/stratum.ts';
import type { Enforcer } from './enforce.ts';
import type { KernelClock } from './kernel-clock.ts';
import type { ProcFs } from './proc-fs.ts';
import type { Process, Processes } from './processes.ts';
import type { Scope } from './scope.ts';
import type { ScriptFiles } from './script-files.ts';
import type { SettingsFiles } from './settings-files.ts';
import { finding, type Signal } from './signal.ts';
import type { Suspicions } from './suspicions.ts';

export interface WatchOptions {
  scope: Scope;
  v2: CgroupTree | undefined;
  v1: CgroupTree | undefined;
  proc: ProcFs;
  processes: Processes;
  suspicions: Suspicions;
  settingsFiles: SettingsFiles;
  scriptFiles: ScriptFiles;
  correlator: Correlator;
  /** Told of cgroups that were removed. */
  departures: Departures;
  enforcer: Enforcer;
  clock: KernelClock;
  indicators: Indicators;
  /** Told what need not wake anybody any more; `forget` when execs are judged by something else. */
  knownExecs: Pick<KnownExecs, 'add'>;
  forgetKnownExecs: () => void;
}

/** Takes every event of the kernel to the tables and detectors that it concerns. */
export class Watch implements Forgetful {
  readonly #options: WatchOptions;
  readonly #exec: ExecDetector;
  readonly #downloads: DownloadExecuteDetector;
  readonly #randomx = new RandomxDetector();
  #indicators: Indicators;
  readonly #handlers: readonly (((event: EventView) => void) | undefined)[];
  #executions = 0;
  /** Connections to listed places that processes held before us, by their ends. */
  readonly #held = new Set<string>();

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#indicators = options.indicators;
    this.#exec = new ExecDetector(options.indicators);
    this.#downloads = new DownloadExecuteDetector({
      descriptor: (pid, number) => options.proc.descriptor(pid, number),
      absolute: (pid, path) => options.proc.absolute(pid, path),
    });
    this.#handlers = this.#handlersByType();
  }

  set indicators(indicators: Indicators) {
    this.#indicators = indicators;
    this.#exec.indicators = indicators;
    this.#options.suspicions.hashes = indicators.hashes;
    this.#options.settingsFiles.indicators = indicators;
    this.#options.forgetKnownExecs();
  }

  /** One event, good until this returns. */
  readonly visit = (event: EventView): void => {
    this.#handlers[event.type]?.(event);
  };

  forget(gone: Gone, isGone: boolean): void {
    this.#downloads.forget(gone, isGone);
    this.#randomx.forget(gone, isGone);
  }

  /** Exec events in scope. */
  get executions(): number {
    return this.#executions;
  }

  /** Cgroups concern every table; the rest is looked at within the scope only. */
  #handlersByType(): ((event: EventView) => void)[] {
    const { scope } = this.#options;
    const scoped = (handle: (event: EventView) => void) => (event: EventView) => {
      if (scope.has(event)) handle(event);
    };
    const connected = scoped((event) => this.#connected(event));
    const handlers: ((event: EventView) => void)[] = [];
    handlers[EVENT.cgroupMkdir] = (event) => this.#cgroupMade(event);
    handlers[EVENT.cgroupRmdir] = (event) => this.#cgroupRemoved(event);
    handlers[EVENT.exec] = scoped((event) => this.#executed(event));
    handlers[EVENT.refusedExec] = scoped((event) => this.#refusedExec(event));
    handlers[EVENT.process] = scoped((event) => this.#found(event));
    handlers[EVENT.connect] = connected;
    handlers[EVENT.socket] = connected;
    handlers[EVENT.stratum] = scoped((event) => this.#spokeStratum(event));
    handlers[EVENT.name] = scoped((event) => this.#namedPool(event));
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
    const { hierarchy, madeId: id, path, ktime } = event;
    const tree = this.#treeOf(hierarchy);
    if (!tree) return;
    const { departures, enforcer, clock } = this.#options;
    const version = hierarchy === 0 ? 2 : 1;
    tree.remove(id);
    departures.add({ id, version, path }, clock.epoch(ktime));
    enforcer.cgroupRemoved({ id, version });
  }

  #treeOf(hierarchy: number): CgroupTree | undefined {
    const { v2, v1 } = this.#options;
    return hierarchy === 0 ? v2 : v1?.hierarchy.id === hierarchy ? v1 : undefined;
  }

  #executed(event: EventView): void {
    this.#executions++;
    const { ktime, verdict, nameMatch } = event;
    const process = this.#options.processes.executed(event, this.#options.clock.epoch(ktime));
    let findings = this.#exec.judge(process);
    if (verdict !== VERDICT.none && !findings.some(({ rule }) => rule === 'miner-name')) {
      findings = [
        ...findings,
        finding('miner-name', nameMatch, 'It runs under a name that is listed.', process.image.exe),
      ];
    }
    const action = verdict === VERDICT.enforced ? 'killed' : 'none';
    this.#suspect(ktime, { process, findings, action });
    if (action === 'none') void this.#readSettings(process, ktime);
    const time = this.#options.clock.epoch(ktime);
    const download = this.#downloads.executed(process, ktime, time);
    if (!download) void this.#readScript(process, ktime, time);
    if (download) this.#suspect(ktime, download);
    else if (verdict === VERDICT.none) this.#settle(event, process, findings);
  }

  /** Tells the kernel what need not be told at once, or again, while the same is executed in this container. */
  #settle(event: EventView, { image }: Process, findings: readonly Finding[]): void {
    const { fingerprint, execFlags } = event;
    if (image.content === undefined || fingerprint === 0n || execFlags & EXEC_FLAG.known) return;
    // What is stopped here must be known at once each time.
    if (findings.length > 0 && judgementOf([...findings]).score >= WARN_FROM) return;
    const isHarmless =
      findings.length === 0 && this.#downloads.isIdle(image) && !this.#options.settingsFiles.concerns(image);
    this.#options.knownExecs.add(fingerprint, isHarmless);
  }

  /** What would have run does not; who wanted it goes on, and stands above it. */
  #refusedExec(event: EventView): void {
    const { ktime, nameMatch } = event;
    const process = this.#options.processes.refused(event);
    if (!process) return;
    const { exe } = process.image;
    const findings = [...this.#exec.judge(process)];
    if (!findings.some(({ rule }) => rule === 'miner-name'))
      findings.push(finding('miner-name', nameMatch, 'It has a name that is listed.', exe));
    this.#suspect(ktime, { process, findings, action: 'refused' });
  }

  #found(event: EventView): void {
    const process = this.#options.processes.found(event);
    if (!process) return;
    this.#suspect(event.ktime, { process, findings: this.#exec.judge(process) });
    void this.#readSettings(process, event.ktime);
  }

  /** What a program is not told by its arguments it finds in a file. */
  async #readSettings(process: Process, ktime: number): Promise<void> {
    const verdict = await this.#options.settingsFiles.judge(process);
    if (verdict) this.#suspect(ktime, { process, ...verdict });
  }

  /** Where a name does not tell that a script came from the network, the age of its file may. */
  async #readScript(process: Process, ktime: number, time: number): Promise<void> {
    const script = this.#downloads.possibleScript(process, ktime, time);
    if (script && (await this.#options.scriptFiles.changedSince(process, script.path, script.since)))
      this.#suspect(ktime, script.execution);
  }

  #connected(event: EventView): void {
    if (event.type === EVENT.connect) this.#mayFetch(event);
    const verdict = judgeConnect(event, this.#indicators);
    if (verdict && event.type === EVENT.socket && this.#isShownAgain(event)) return;
    const process = verdict && this.#whoDid(event);
    // The kernel refused what is to be refused, and many connections are no reason to read a binary.
    if (process)
      this.#options.correlator.add({ ...verdict, process, time: this.#options.clock.epoch(event.ktime) });
  }

  /** What a process holds the network may show once more, without saying whose it is. */
  #isShownAgain({ tgid, localAddress, localPort, remoteAddress, remotePort }: EventView): boolean {
    const ends = `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
    if (tgid === 0) return this.#held.has(ends);
    this.#held.add(ends);
    return false;
  }

  /** An interpreter may run what it fetches, or what is fetched for it. */
  #mayFetch(event: EventView): void {
    const { processes } = this.#options;
    const known = processes.peek(event) ?? processes.of(event);
    if (!known || !this.#downloads.concerns(known)) return;
    const { ktime, remoteAddress, remotePort } = event;
    const download = this.#downloads.connected(known, ktime, remoteAddress, remotePort);
    if (download) this.#suspect(ktime, download);
  }

  #spokeStratum(event: EventView): void {
    const process = this.#whoDid(event);
    if (process) this.#suspect(event.ktime, { process, ...judgeStratum(event) });
  }

  #namedPool(event: EventView): void {
    const domain = this.#options.enforcer.domain(event.rule);
    if (domain === undefined) return;
    const process = this.#whoDid(event);
    if (process) this.#suspect(event.ktime, { process, ...judgePoolName(event, domain) });
  }

  #rounded(event: EventView): void {
    const process = this.#options.processes.of(event);
    if (!process) return;
    const { ktime, mxcsr, samples } = event;
    const findings = this.#randomx.sample(process, ktime, mxcsr, samples);
    if (findings.length > 0) this.#suspect(ktime, { process, findings });
  }

  /** Of a connection that is older than the agent only the cgroup is known; then it is who works most there. */
  #whoDid(event: EventView): Process | undefined {
    const { processes, v2 } = this.#options;
    const path = v2?.path(event.cgroupId);
    return processes.of(event) ?? (v2 && path !== undefined ? processes.busiest(v2.pids(path)) : undefined);
  }

  #suspect(ktime: number, found: Pick<Signal, 'process' | 'findings'> & Partial<Signal>): void {
    this.#options.suspicions.add({
      action: 'none',
      evidence: {},
      ...found,
      time: this.#options.clock.epoch(ktime),
    });
  }
}
