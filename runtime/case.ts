import { createHash } from 'node:crypto';
import type { Action, Detection } from '../api/detection.ts';
import type { Finding, Severity } from '../api/finding.ts';
import { compareSeverity } from '../api/weight.ts';
import { judgementOf } from '../detection/verdict.ts';
import type { Container } from './containers.ts';
import { type Process, type Processes, shownArguments } from './processes.ts';
import type { Signal } from './signal.ts';

/** Bounds of one detection. */
const FINDINGS = 32;
const EVIDENCE = 32;

const STRENGTH: Record<Action, number> = { none: 0, refused: 1, dropped: 2, frozen: 3, killed: 4 };

/** Whom a case is reported with. */
export interface Reporting {
  node: string;
  processes: Pick<Processes, 'ancestors'>;
  describe: (container: Container) => Detection['container'];
}

/** One detection while it may still change: what is known about one program in one container. */
export class Case {
  /** Occurrences after the first that were identical to an earlier one. */
  repeats = 0;
  readonly #id: string;
  readonly #first: Signal;
  readonly #findings = new Map<string, Finding>();
  readonly #evidence = new Map<string, unknown>();
  #action: Action;
  #sha256: string | null;

  /** `identity` is what the case is about, beside the node and the container. */
  constructor(node: string, identity: string, first: Signal, company: readonly Finding[]) {
    this.#id = idOf(node, first.process.container, identity);
    this.#first = first;
    this.#action = first.action;
    this.#sha256 = first.sha256 ?? null;
    for (const finding of [...first.findings, ...company]) this.addFinding(finding);
    this.#addEvidence(first.evidence);
  }

  get score(): number {
    return judgementOf([...this.#findings.values()]).score;
  }

  /** Takes another signal about the same program. False when it only repeats what is known; then it is counted. */
  add({ findings, evidence, action }: Signal): boolean {
    let isNew = false;
    for (const finding of findings) isNew = this.addFinding(finding) || isNew;
    isNew = this.#addEvidence(evidence) || isNew;
    if (STRENGTH[action] > STRENGTH[this.#action]) {
      this.#action = action;
      isNew = true;
    }
    if (!isNew) this.repeats++;
    return isNew;
  }

  /** Whether it says more than what was known: another rule, another place, or a higher score. */
  addFinding(finding: Finding): boolean {
    const key = `${finding.rule} ${finding.path}`;
    const before = this.#findings.get(key);
    if (before ? before.score >= finding.score : this.#findings.size >= FINDINGS) return false;
    this.#findings.set(key, finding);
    return true;
  }

  /** Whether the hash of the binary was not known before. */
  identify(sha256: string | null | undefined): boolean {
    if (this.#sha256 !== null || !sha256) return false;
    this.#sha256 = sha256;
    return true;
  }

  detection({ processes, describe }: Reporting): Detection {
    const { process, time } = this.#first;
    const { score, findings } = judgementOf([...this.#findings.values()]);
    return {
      id: this.#id,
      time: new Date(time).toISOString(),
      rule: findings[0]?.rule ?? '',
      severity: severityOf(findings, score),
      confidence: score / 100,
      action: this.#action,
      process: {
        pid: process.pid,
        exe: process.image.exe.slice(0, 4096),
        argv: shownArguments(process.image.argv),
        uid: process.uid,
        sha256: this.#sha256,
        ancestors: processes.ancestors(process),
      },
      container: describe(process.container),
      evidence: { findings, ...Object.fromEntries(this.#evidence) },
      repeats: this.repeats,
    };
  }

  /** Lists grow by what is new in them, up to a bound; any other value is kept as it was first. */
  #addEvidence(more: Readonly<Record<string, unknown>>): boolean {
    let isNew = false;
    for (const [name, value] of Object.entries(more)) {
      const before = this.#evidence.get(name);
      if (before === undefined) {
        this.#evidence.set(name, value);
        isNew = true;
      } else if (Array.isArray(before) && Array.isArray(value)) {
        const known = new Set(before.map((item) => JSON.stringify(item)));
        const fresh = value
          .filter((item) => !known.has(JSON.stringify(item)))
          .slice(0, EVIDENCE - before.length);
        if (fresh.length === 0) continue;
        this.#evidence.set(name, [...before, ...fresh]);
        isNew = true;
      }
    }
    return isNew;
  }
}

/** What runs, not which pid: a miner that is started again and again is one case. */
export function identityOf({ image: { exe, argv } }: Process): string {
  return createHash('sha256')
    .update(JSON.stringify([exe, argv]))
    .digest('hex');
}

/** Of content alone, so that a report that is sent twice is one fact. */
function idOf(node: string, { cgroup }: Container, identity: string): string {
  return createHash('sha256')
    .update(JSON.stringify([node, cgroup, identity]))
    .digest('hex')
    .slice(0, 32);
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
