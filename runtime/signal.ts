import type { Action } from '../api/detection.ts';
import type { Finding } from '../api/finding.ts';
import { RULES, type RuleId } from '../detection/rules.ts';
import type { Process } from './processes.ts';

/** What one detector found out about one process. */
export interface Signal {
  /** When the kernel saw it, milliseconds since 1970. */
  time: number;
  process: Process;
  findings: readonly Finding[];
  action: Action;
  /** What it saw beside the findings, by name. */
  evidence: Readonly<Record<string, unknown>>;
  /** Lower-case hex; null when it could not be read. Absent where nobody tried. */
  sha256?: string | null;
}

/** A finding of a rule that only the run-time gate has. `path` is a field of the process or of a connection. */
export function finding(rule: RuleId, path: string, message: string, evidence?: string): Finding {
  const { severity, score, remedy } = RULES[rule];
  return {
    rule,
    severity,
    score,
    path,
    message: message.slice(0, 1024),
    ...(evidence === undefined ? {} : { evidence: evidence.slice(0, 160) }),
    remedy,
  };
}
