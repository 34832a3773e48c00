import type { Finding } from '../api/finding.ts';
import { STEERING } from '../api/printable.ts';
import { CONCLUSIVE } from '../api/weight.ts';
import type { Indicators } from './indicators.ts';
import { RULES, type RuleId } from './rules.ts';
import type { Allowance } from './shell/parser.ts';
import { UNKNOWN } from './text.ts';
import { DENY_FROM } from './verdict.ts';

/** What one judgement may cost: bytes of text read, summed over every decoding and entering. */
const WORK_LIMIT = 256 * 1024;

/** CPU time for reading its shell text, in milliseconds; ordinary text of that length takes 130. */
const PARSING_LIMIT = 500;

/**
 * What following its scripts may cost, in letters that expansions and pipes carry; a step, a word and a command cost as
 * much as so many of them.
 */
const FOLLOWING_LIMIT = 8_000_000;
export const STEP_COST = 100;
export const WORD_COST = 20;
export const CALL_COST = 300;

/** More findings than this about one object help nobody. */
export const FINDING_LIMIT = 64;

const EVIDENCE_LENGTH = 160;

/** The findings about one thing while they are gathered, and the work that is left for gathering them. */
export class Docket {
  readonly indicators: Indicators;
  readonly parsing: Allowance;
  readonly following: Allowance;
  readonly #findings = new Map<string, Finding>();
  #work = WORK_LIMIT;

  /** `around`: of the object that holds this one, which leave to it what they have not used. */
  constructor(indicators: Indicators, around?: Pick<Docket, 'parsing' | 'following'>) {
    this.indicators = indicators;
    this.parsing = around?.parsing ?? { left: PARSING_LIMIT };
    this.following = around?.following ?? { left: FOLLOWING_LIMIT };
  }

  /**
   * Reports a match. `evidence` is the matched token only, never its surroundings: those may hold secrets.
   * The same rule at the same path counts once, with its highest score. Where there is no room left, what the verdict
   * needs takes the place of what it does not, or many weak findings would hide a strong one.
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
    if (before ? before.score >= score : !this.#hasRoom(rule, score)) return;
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

  /** Takes what a step costs, or letters that were put together. False, with a finding, once nothing is left. */
  follow(amount: number, path: string): boolean {
    this.following.left -= amount;
    if (this.following.left >= 0) return true;
    // No script that people write comes near: what cannot be followed in time was made so.
    this.report('analysis-limit', path, 'Its scripts take too long to be followed.', undefined, DENY_FROM);
    return false;
  }

  /** Makes room if need be. A rule counts once, with its strongest match (verdict.ts): others of it can go. */
  #hasRoom(rule: RuleId, score: number): boolean {
    if (this.#findings.size < FINDING_LIMIT) return true;
    const all = [...this.#findings];
    if (all.some(([, finding]) => finding.rule === rule && finding.score >= score)) return false;
    const spare = all.find(([key, finding]) =>
      all.some(
        ([other, { rule, score }]) => other !== key && rule === finding.rule && score >= finding.score,
      ),
    );
    return spare !== undefined && this.#findings.delete(spare[0]);
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
