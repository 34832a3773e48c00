import type { Finding, Verdict } from '../api/finding.ts';
import { CONCLUSIVE, compareSeverity } from '../api/weight.ts';
import { isPosture } from './rules.ts';

/** From this score on admission denies. */
export const DENY_FROM = 80;

/** From this score on admission warns. */
export const WARN_FROM = 30;

/** Posture counts when everything else reaches this, and then with at most POSTURE_CAP. */
const POSTURE_FROM = 40;
const POSTURE_CAP = 10;

/** From which scores on a verdict is given. */
export interface Thresholds {
  deny: number;
  warn: number;
}

const DEFAULT: Thresholds = { deny: DENY_FROM, warn: WARN_FROM };

/** What the rules say about one object, process or destination. */
export interface Judgement {
  verdict: Verdict;
  /** 0 to 100. */
  score: number;
  /** The strongest first. */
  findings: Finding[];
}

/**
 * Sums the findings up. A rule counts once, with its strongest match, so that ten containers with the same
 * weak habit weigh as much as one.
 */
export function judgementOf(findings: readonly Finding[], { deny, warn }: Thresholds = DEFAULT): Judgement {
  const best = new Map<string, number>();
  for (const { rule, score } of findings) best.set(rule, Math.max(best.get(rule) ?? 0, score));
  let score = 0;
  let posture = 0;
  for (const [rule, weight] of best) {
    if (isPosture(rule)) posture += weight;
    else score += weight;
  }
  if (score >= POSTURE_FROM) score += Math.min(posture, POSTURE_CAP);
  score = Math.min(score, CONCLUSIVE);
  return {
    verdict: score >= deny ? 'deny' : score >= warn ? 'warn' : 'allow',
    score,
    findings: findings.toSorted((a, b) => b.score - a.score || compareSeverity(b.severity, a.severity)),
  };
}
