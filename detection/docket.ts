import type { Finding } from '../api/finding.ts';
import { STEERING } from '../api/printable.ts';
import { CONCLUSIVE } from '../api/weight.ts';
import type { Indicators } from './indicators.ts';
import { RULES, type RuleId } from './rules.ts';
import type { Allowance } from './shell/parser.ts';
import { UNKNOWN } from './text.ts';

/** What one judgement may cost: bytes of text read, summed over every decoding and entering. */
const WORK_LIMIT = 256 * 1024;

/** CPU time for reading its shell text, in milliseconds; ordinary text of that length takes 130. */
const PARSING_LIMIT = 500;

/** More findings than this about one object help nobody. */
const FINDING_LIMIT = 64;

const EVIDENCE_LENGTH = 160;

/** The findings about one thing while they are gathered, and the work that is left for gathering them. */
export class Docket {
  readonly indicators: Indicators;
  readonly parsing: Allowance;
  readonly #findings = new Map<string, Finding>();
  #work = WORK_LIMIT;

  /** `parsing`: what is left for the object around this one. */
  constructor(indicators: Indicators, parsing: Allowance = { left: PARSING_LIMIT }) {
    this.indicators = indicators;
    this.parsing = parsing;
  }

  /**
   * Reports a match. `evidence` is the matched token only, never its surroundings: those may hold secrets.
   * The same rule at the same path counts once, with its highest score.
   */
  report(
    rule: RuleId,
    path: string,
    message: string,
    evidence?: string,
    score: number = RULES[rule].score,
  ): void {
    const key = `${rule} ${path}`;
    const before = this.#findings.get(key);
    if (before ? before.score >= score : this.#findings.size >= FINDING_LIMIT) return;
    this.#findings.set(key, {
      rule,
      severity: RULES[rule].severity,
      score: Math.min(Math.max(Math.round(score), 0), CONCLUSIVE),
      path: path.slice(0, 512),
      message: message.slice(0, 1024),
      ...(evidence === undefined ? {} : { evidence: excerptOf(evidence) }),
      remedy: RULES[rule].remedy,
    });
  }

  /** Of a finding that was reported already; 0 without one. */
  scoreOf(rule: RuleId, path: string): number {
    return this.#findings.size === 0 ? 0 : (this.#findings.get(`${rule} ${path}`)?.score ?? 0);
  }

  /** Raises the score of a finding that was reported already; nothing without one. */
  raise(rule: RuleId, path: string, score: number): void {
    const key = `${rule} ${path}`;
    const before = this.#findings.get(key);
    if (before && before.score < score) this.#findings.set(key, { ...before, score });
  }

  /** Takes `amount` from the work that is left. False, with a finding, once nothing is left. */
  spend(amount: number, path: string): boolean {
    this.#work -= amount;
    if (this.#work >= 0) return true;
    this.report(
      'analysis-limit',
      path,
      'The text exceeds what is analysed for one object; the rest was not read.',
    );
    return false;
  }

  get findings(): Finding[] {
    return [...this.#findings.values()];
  }
}

/** Cut, and as it can be shown on a terminal; scripts have lines, which blanks stand for. */
function excerptOf(text: string): string {
  const shown = text.replaceAll(UNKNOWN, '?').replace(STEERING, ' ');
  return shown.length > EVIDENCE_LENGTH ? `${shown.slice(0, EVIDENCE_LENGTH - 1)}…` : shown;
}
