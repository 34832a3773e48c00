import { LRUCache } from 'lru-cache';
import type { Detection } from '../api/detection.ts';
import type { Finding } from '../api/finding.ts';
import { judgementOf, WARN_FROM } from '../detection/verdict.ts';
import { Case, identityOf, type Reporting } from './case.ts';
import { HOST } from './containers.ts';
import type { Forgetful, Gone } from './departures.ts';
import type { Image } from './image.ts';
import type { Process } from './processes.ts';
import type { Signal } from './signal.ts';

export interface CorrelatorOptions extends Reporting {
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
  /** Containers of which everything was forgotten because there were too many. */
  forgotten: number;
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

/** Of all containers together; some kilobytes each. Then the container that was quiet longest is forgotten. */
const CASES_IN_ALL = 2048;

/** How long a weak finding waits for company, milliseconds. */
const COMPANY_MS = 10 * 60_000;

/**
 * Adds up the signals about one program in one container into one detection. What is new (a rule, evidence, an action,
 * a program) is emitted at once; what was seen before only counts. Weak findings of one container keep each other
 * company, whichever of its processes they are about.
 */
export class Correlator implements Forgetful {
  readonly stats: CorrelatorStats = { signals: 0, detections: 0, repeats: 0, folded: 0, forgotten: 0 };
  readonly #options: CorrelatorOptions;
  readonly #scenes = new LRUCache<string, Scene>({
    max: SCENES,
    dispose: ({ cases }, _cgroup, reason) => {
      this.#cases -= cases.size;
      if (reason === 'evict') this.stats.forgotten++;
    },
  });
  /** When each case was emitted last. */
  readonly #emitted = new WeakMap<Case, number>();
  readonly #identities = new WeakMap<Image, string>();
  #cases = 0;
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
    const identity = this.#identityOf(process);
    const known = scene.cases.get(identity);
    const supported = known ? undefined : supportedBy(scene, signal);
    const company = companyOf(scene, process, time);
    if (known) this.#enrich(known, signal);
    else if (supported) this.#support(supported, signal);
    else if (judgementOf([...findings, ...company]).score < WARN_FROM) keepForLater(scene, signal);
    else if (scene.cases.size >= CASES) this.#fold(scene, signal);
    else this.#open(scene, identity, signal, company);
  }

  /** The hash of what `process` runs, when it came after the signal. */
  identify(process: Process, sha256: string, now: number): void {
    const known = this.#scenes.get(process.container.cgroup)?.cases.get(this.#identityOf(process));
    if (known?.identify(sha256)) this.#emit(known, now);
  }

  /** Emits the counts that waited long enough; all of them when `now` is Infinity. */
  flush(now: number): void {
    for (const one of this.#pending) if (this.#isDue(one, now)) this.#emit(one, now);
  }

  /** Nothing has to be known any more about the container that had this cgroup. */
  forget({ path }: Gone, isGone: boolean): void {
    if (isGone) this.#forget(path);
  }

  #forgetQuietest(): void {
    const [quietest] = this.#scenes.rkeys();
    if (quietest === undefined) return;
    this.stats.forgotten++;
    this.#forget(quietest);
  }

  #forget(cgroup: string): void {
    for (const one of this.#scenes.peek(cgroup)?.cases.values() ?? []) {
      if (this.#pending.has(one)) this.#emit(one, Number.POSITIVE_INFINITY);
    }
    this.#scenes.delete(cgroup);
  }

  #identityOf(process: Process): string {
    const known = this.#identities.get(process.image);
    if (known !== undefined) return known;
    const identity = identityOf(process);
    this.#identities.set(process.image, identity);
    return identity;
  }

  #scene({ container }: Process): Scene {
    const known = this.#scenes.get(container.cgroup);
    if (known) return known;
    const scene: Scene = { cases: new Map(), weak: new Map() };
    this.#scenes.set(container.cgroup, scene);
    return scene;
  }

  #open(scene: Scene, identity: string, signal: Signal, company: readonly Finding[]): void {
    const one = new Case(this.#options.node, identity, signal, company);
    scene.cases.set(identity, one);
    this.stats.detections++;
    if (++this.#cases > CASES_IN_ALL) this.#forgetQuietest();
    this.#emit(one, signal.time);
  }

  #enrich(one: Case, signal: Signal): void {
    const isNew = one.add(signal);
    const isIdentified = one.identify(signal.sha256);
    if (!isNew) this.stats.repeats++;
    if (isNew || isIdentified || this.#isDue(one, signal.time)) this.#emit(one, signal.time);
    else this.#pending.add(one);
  }

  /** What another process of the container did makes this case more likely; it is no repeat of it. */
  #support(one: Case, { findings, time }: Signal): void {
    const fresh = findings.filter((finding) => one.addFinding(finding));
    if (fresh.length > 0) this.#emit(one, time);
  }

  /** So many different programs are a flood: one detection for each rule, so that another rule still shows. */
  #fold(scene: Scene, signal: Signal): void {
    this.stats.folded++;
    const rule = judgementOf(signal.findings).findings[0]?.rule ?? '';
    const known = scene.cases.get(rule);
    if (known) this.#enrich(known, { ...signal, evidence: {}, sha256: null });
    else this.#open(scene, rule, { ...signal, evidence: { ...signal.evidence, folded: true } }, []);
  }

  #isDue(one: Case, now: number): boolean {
    return now - (this.#emitted.get(one) ?? 0) >= this.#options.repeatInterval;
  }

  #emit(one: Case, now: number): void {
    this.#pending.delete(one);
    this.#emitted.set(one, now);
    this.#options.emit(one.detection(this.#options));
  }
}

function keepForLater({ weak }: Scene, { findings, time }: Signal): void {
  for (const finding of findings) {
    const before = weak.get(finding.rule);
    if (before && before.finding.score > finding.score) continue;
    weak.set(finding.rule, { finding, until: time + COMPANY_MS });
  }
}

/** Weak findings that count for `process`. The node's own processes have nothing to do with each other. */
function companyOf({ weak }: Scene, { container }: Process, now: number): Finding[] {
  if (container === HOST) return [];
  for (const [rule, { until }] of weak) if (until < now) weak.delete(rule);
  return [...weak.values()].map(({ finding }) => finding);
}

/** The case that a signal makes more likely which is too weak for one of its own. */
function supportedBy({ cases }: Scene, { findings, process }: Signal): Case | undefined {
  if (process.container === HOST || judgementOf(findings).score >= WARN_FROM) return undefined;
  return [...cases.values()].reduce<Case | undefined>(
    (best, one) => (best === undefined || one.score > best.score ? one : best),
    undefined,
  );
}
