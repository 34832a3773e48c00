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

function objectsIn(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value)
    ? value.filter((each): each is Record<string, unknown> => typeof each === 'object' && each !== null)
    : [];
}
