import { LRUCache } from 'lru-cache';
import type { Fact } from './fact.ts';
import { anonymousAllowed } from './rules/anonymous.ts';
import { borrowedToken } from './rules/borrowed-token.ts';
import { execDownload } from './rules/exec-download.ts';
import { failedOpen } from './rules/failed-open.ts';
import {
  AUDIT_RULES,
  type AuditFinding,
  type AuditRule,
  type Rule,
  type Surroundings,
} from './rules/finding.ts';
import { firstDaemonSet } from './rules/first-daemon-set.ts';
import { powerfulGrant } from './rules/grant.ts';
import { nodeProxy } from './rules/node-proxy.ts';
import { protectionChanged } from './rules/protection-changed.ts';
import { secretsBurst } from './rules/secrets-burst.ts';

/** The API server sends a batch again when it got no answer. */
const REMEMBERED = 20_000;

/** What single facts and short windows of them say by themselves. Linear in the facts, bounded in what it keeps. */
export class AuditRules {
  readonly #rules: Readonly<Record<AuditRule, Rule>> = {
    'anonymous-allowed': anonymousAllowed,
    'powerful-grant': powerfulGrant,
    'exec-download': execDownload,
    'first-daemon-set': firstDaemonSet(),
    'node-proxy': nodeProxy,
    'protection-changed': protectionChanged,
    'failed-open': failedOpen,
    'borrowed-token': borrowedToken(),
    'secrets-burst': secretsBurst(),
  };
  readonly #told = new LRUCache<string, true>({ max: REMEMBERED });

  /** One finding of a rule for a fact, however often and in however many stages it comes. */
  evaluate(fact: Fact, surroundings: Surroundings): AuditFinding[] {
    const found: AuditFinding[] = [];
    for (const rule of Object.keys(AUDIT_RULES) as AuditRule[]) {
      const remark = this.#rules[rule](fact, surroundings);
      const key = `${rule} ${fact.id}`;
      if (!remark || this.#told.has(key)) continue;
      this.#told.set(key, true);
      found.push({ ...remark, rule, remedy: AUDIT_RULES[rule], fact });
    }
    return found;
  }

  /** Looks at history without a word, so that what was usual yesterday is not new after a restart. */
  learn(facts: readonly Fact[], surroundings: Surroundings): void {
    for (const fact of facts) this.evaluate(fact, surroundings);
  }
}
