// Beside the shapes and not among them: an agent that weighs findings has no use for what validates them, and no room.

const ORDER = { low: 0, medium: 1, high: 2, critical: 3 } as const;

/** The same as in finding.ts, which needs this file. */
type Severity = keyof typeof ORDER;

/** Negative when `a` is less severe than `b`; fits Array.prototype.sort. */
export function compareSeverity(a: Severity, b: Severity): number {
  return ORDER[a] - ORDER[b];
}

/** A score from which evidence denies alone. Lesser scores add up to it; see detection/verdict.ts. */
export const CONCLUSIVE = 100;
