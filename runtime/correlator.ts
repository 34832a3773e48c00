import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Action, Detection } from '../api/detection.ts';
import { compareSeverity, type Finding, type Severity } from '../api/finding.ts';
import { judgementOf, WARN_FROM } from '../detection/verdict.ts';
import { type Container, HOST } from './containers.ts';
import { type Process, type Processes, shownArguments } from './processes.ts';
import type { Signal } from './signal.ts';

export interface CorrelatorOptions {
  node: string;
  processes: Pick<Processes, 'ancestors'>;
  describe: (container: Container) => Detection['container'];
  /** Gets every new detection and every newer version of one. */
  emit: (detection: Detection) => void;
  /** Milliseconds between versions that differ in `repeats` only. */
  repeatInterval: number;
}

export interface CorrelatorStats {
  signals: number;
  detections: number;
  /** Signals that only raised a count. */
  repeats: number;
  /** Processes beyond the bound of their container, reported together by rule. */
  folded: number;
}

/** One detection while it may still change. */
interface Case {
  id: string;
  container: Container;
  first: Signal;
  findings: Map<string, Finding>;
  evidence: Map<string, unknown>;
  action: Action;
  sha256: string | null;
  repeats: number;
  /** How often it had been repeated in the version that was emitted last, and when that was. */
  emitted: { repeats: number; at: number };
}

/** What happened in one container. */
interface Scene {
  cases: Map<string, Case>;
  /** Findings too weak to report alone, by rule, until they are forgotten. */
  weak: Map<string, { finding: Finding; until: number }>;
}

/** A container runs so many different suspicious programs; what comes on top is folded by rule. */
const CASES = 64;
const SCENES = 4096;
const FINDINGS = 32;
const EVIDENCE = 32;

/** How long a weak finding waits for company, milliseconds. */
const COMPANY_MS = 10 * 60_000;

const STRENGTH: Record<Action, number> = { none: 0, refused: 1, dropped: 2, frozen: 3, killed: 4 };

/**
 * Adds up the signals about one program in one container into one detection. What is new (a rule, evidence, an action,
 * a program) is emitted at once; what was seen before only counts. Weak findings of one container keep each other
 * company, whichever of its processes they are about.
 */
export class Correlator {
  readonly stats: CorrelatorStats = { signals: 0, detections: 0, repeats: 0, folded: 0 };
  readonly #options: CorrelatorOptions;
  readonly #scenes = new LRUCache<string, Scene>({ max: SCENES });
  /** Cases with repeats that were not emitted yet. */
  readonly #pending = new Set<Case>();

  constructor(options: CorrelatorOptions) {
    this.#options = options;
  }

  add(signal: Signal): void {
    if (signal.findings.length === 0) return;
    this.stats.signals++;
    const { process, findings, time } = signal;
    const scene = this.#scene(process);
    const identity = identityOf(process);
    const known = scene.cases.get(identity);
    const supported = known ? undefined : supportedBy(scene, signal);
    const company = companyOf(scene, process, time);
    if (known) this.#enrich(known, signal);
    else if (supported) this.#support(supported, signal);
    else if (judgementOf([...findings, ...company]).score < WARN_FROM) this.#keepForLater(scene, signal);
    else if (scene.cases.size >= CASES) this.#fold(scene, signal);
    else this.#open(scene, identity, signal, company);
  }

  /** The hash of what `process` runs, when it came after the signal. */
  identify(process: Process, sha256: string, now: number): void {
    const one = this.#scenes.get(process.container.cgroup)?.cases.get(identityOf(process));
    if (!one || one.sha256 !== null) return;
    one.sha256 = sha256;
    this.#emit(one, now);
  }

  /** Emits the counts that waited long enough; all of them when `now` is Infinity. */
  flush(now: number): void {
    for (const one of this.#pending) {
      if (now - one.emitted.at >= this.#options.repeatInterval) this.#emit(one, now);
    }
  }

  #scene(process: Process): Scene {
    const key = process.container.cgroup;
    const known = this.#scenes.get(key);
    if (known) return known;
    const scene: Scene = { cases: new Map(), weak: new Map() };
    this.#scenes.set(key, scene);
    return scene;
  }

  #open(scene: Scene, identity: string, signal: Signal, company: readonly Finding[]): void {
    const { container } = signal.process;
    const one: Case = {
      id: this.#id(container, identity),
      container,
      first: signal,
      findings: new Map(),
      evidence: new Map(),
      action: signal.action,
      sha256: signal.sha256 ?? null,
      repeats: 0,
      emitted: { repeats: 0, at: 0 },
    };
    for (const finding of [...signal.findings, ...company]) addFinding(one, finding);
    addEvidence(one, signal.evidence);
    scene.cases.set(identity, one);
    this.stats.detections++;
    this.#emit(one, signal.time);
  }

  #enrich(one: Case, signal: Signal): void {
    let isNew = false;
    for (const finding of signal.findings) isNew = addFinding(one, finding) || isNew;
    isNew = addEvidence(one, signal.evidence) || isNew;
    if (STRENGTH[signal.action] > STRENGTH[one.action]) {
      one.action = signal.action;
      isNew = true;
    }
    if (!isNew) {
      one.repeats++;
      this.stats.repeats++;
    }
    if (one.sha256 === null && typeof signal.sha256 === 'string') {
      one.sha256 = signal.sha256;
      isNew = true;
    }
    if (isNew || signal.time - one.emitted.at >= this.#options.repeatInterval) this.#emit(one, signal.time);
    else this.#pending.add(one);
  }

  /** What another process of the container did makes this case more likely; it is no repeat of it. */
  #support(one: Case, { findings, time }: Signal): void {
    let isNew = false;
    for (const finding of findings) isNew = addFinding(one, finding) || isNew;
    if (isNew) this.#emit(one, time);
  }

  /** So many different programs are a flood: one detection for each rule, so that another rule still shows. */
  #fold(scene: Scene, signal: Signal): void {
    this.stats.folded++;
    const rule = judgementOf(signal.findings).findings[0]?.rule ?? '';
    const known = scene.cases.get(rule);
    if (known) this.#enrich(known, { ...signal, evidence: {}, sha256: null });
    else this.#open(scene, rule, { ...signal, evidence: { ...signal.evidence, folded: true } }, []);
  }

  #keepForLater({ weak }: Scene, { findings, time }: Signal): void {
    for (const finding of findings) {
      const before = weak.get(finding.rule);
      if (!before || before.finding.score <= finding.score) {
        weak.set(finding.rule, { finding, until: time + COMPANY_MS });
      }
    }
  }

  #emit(one: Case, now: number): void {
    this.#pending.delete(one);
    one.emitted = { repeats: one.repeats, at: now };
    this.#options.emit(this.#detection(one));
  }

  #detection(one: Case): Detection {
    const { process, time } = one.first;
    const { score, findings } = judgementOf([...one.findings.values()]);
    return {
      id: one.id,
      time: new Date(time).toISOString(),
      rule: findings[0]?.rule ?? '',
      severity: severityOf(findings, score),
      confidence: score / 100,
      action: one.action,
      process: {
        pid: process.pid,
        exe: process.image.exe.slice(0, 4096),
        argv: shownArguments(process.image.argv),
        uid: process.uid,
        sha256: one.sha256,
        ancestors: this.#options.processes.ancestors(process),
      },
      container: this.#options.describe(one.container),
      evidence: { findings, ...Object.fromEntries(one.evidence) },
      repeats: one.repeats,
    };
  }

  /** Of content alone, so that a report that is sent twice is one fact. */
  #id(container: Container, identity: string): string {
    return createHash('sha256')
      .update(JSON.stringify([this.#options.node, container.cgroup, identity]))
      .digest('hex')
      .slice(0, 32);
  }
}

/** What runs, not which pid: a miner that is started again and again is one detection. */
function identityOf({ image: { exe, argv } }: Process): string {
  return createHash('sha256')
    .update(JSON.stringify([exe, argv]))
    .digest('hex');
}

/** Weak findings that count for `process`. The node's own processes have nothing to do with each other. */
function companyOf(scene: Scene, process: Process, now: number): Finding[] {
  if (process.container === HOST) return [];
  for (const [rule, { until }] of scene.weak) if (until < now) scene.weak.delete(rule);
  return [...scene.weak.values()].map(({ finding }) => finding);
}

/** The case that a signal makes more likely which is too weak for one of its own. */
function supportedBy({ cases }: Scene, { findings, process }: Signal): Case | undefined {
  if (process.container === HOST || judgementOf(findings).score >= WARN_FROM) return undefined;
  const score = (one: Case) => judgementOf([...one.findings.values()]).score;
  return [...cases.values()].reduce<Case | undefined>(
    (best, one) => (best === undefined || score(one) > score(best) ? one : best),
    undefined,
  );
}

/** Whether it says more than what was known: another rule, another place, or a higher score. */
function addFinding({ findings }: Case, finding: Finding): boolean {
  const key = `${finding.rule} ${finding.path}`;
  const before = findings.get(key);
  if (before ? before.score >= finding.score : findings.size >= FINDINGS) return false;
  findings.set(key, finding);
  return true;
}

/** Lists grow by what is new in them, up to a bound; any other value is kept as it was first. */
function addEvidence({ evidence }: Case, more: Readonly<Record<string, unknown>>): boolean {
  let isNew = false;
  for (const [name, value] of Object.entries(more)) {
    const before = evidence.get(name);
    if (before === undefined) {
      evidence.set(name, value);
      isNew = true;
    } else if (Array.isArray(before) && Array.isArray(value)) {
      const known = new Set(before.map((item) => JSON.stringify(item)));
      const fresh = value
        .filter((item) => !known.has(JSON.stringify(item)))
        .slice(0, EVIDENCE - before.length);
      if (fresh.length === 0) continue;
      evidence.set(name, [...before, ...fresh]);
      isNew = true;
    }
  }
  return isNew;
}

/** How bad it is if true, held back while it is unsure. */
function severityOf(findings: readonly Finding[], score: number): Severity {
  const worst = findings.reduce<Severity>(
    (so, { severity }) => (compareSeverity(severity, so) > 0 ? severity : so),
    'low',
  );
  const limit: Severity = score >= 80 ? 'critical' : score >= 50 ? 'high' : 'medium';
  return compareSeverity(worst, limit) > 0 ? limit : worst;
}
