import type { Detection } from '../../api/detection.ts';
import type { Finding } from '../../api/finding.ts';

/** Nodes put into the evidence what their rules saw; nothing of its shape is sure. */

/** Findings that a detection rests on, as the node reported them. */
export function findingsOf({ evidence }: Detection): Pick<Finding, 'rule' | 'message'>[] {
  return objectsIn(evidence.findings).flatMap(({ rule, message }) =>
    typeof rule === 'string' ? [{ rule, message: String(message ?? '') }] : [],
  );
}

/** Where it connected to. */
export function destinationsOf({ evidence }: Detection): { address: string; port: number }[] {
  return objectsIn(evidence.destinations).flatMap(({ address, port }) =>
    typeof address === 'string' && typeof port === 'number' ? [{ address, port }] : [],
  );
}

/** A course of CPU use: time in milliseconds since 1970, share of what was allowed in percent. */
export interface CpuCourse {
  samples: readonly (readonly [time: number, percent: number])[];
  /** What is usual, in percent; undefined where no habit is known. */
  baseline: number | undefined;
}

/** How much CPU time it took, where the node measured that. */
export function cpuCourseOf({ evidence }: Detection): CpuCourse | undefined {
  const { samples, baseline } = (evidence.cpu ?? {}) as { samples?: unknown; baseline?: unknown };
  if (!Array.isArray(samples)) return undefined;
  const valid = samples.filter(
    (each): each is [number, number] =>
      Array.isArray(each) && each.length === 2 && each.every((value) => Number.isFinite(value)),
  );
  if (valid.length === 0) return undefined;
  return { samples: valid, baseline: Number.isFinite(baseline) ? (baseline as number) : undefined };
}

function objectsIn(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value)
    ? value.filter((each): each is Record<string, unknown> => typeof each === 'object' && each !== null)
    : [];
}
