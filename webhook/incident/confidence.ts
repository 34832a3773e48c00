import type { Detection } from '../../api/detection.ts';
import { printable } from '../../api/printable.ts';

/** How sure the detections together make us, and what that rests on. */
export interface Confidence {
  /** 0 to 1, in hundredths. */
  confidence: number;
  /** The strongest first. */
  reasons: string[];
}

/** Rules look at the same process, so a second one says less than its own confidence would. */
const CORROBORATION = 0.5;

/**
 * Each rule counts once, with its most confident detection; further rules close part of the gap to certainty.
 * One detection alone keeps its own confidence, so that many weak repeats never add up to a strong one.
 */
export function confidenceOf(detections: readonly Detection[]): Confidence {
  const best = new Map<string, Detection>();
  for (const detection of detections) {
    const before = best.get(detection.rule);
    if (!before || compare(detection, before) < 0) best.set(detection.rule, detection);
  }
  const strongest = [...best.values()].sort(compare);
  const doubt = strongest.reduce(
    (left, { confidence }, index) => left * (1 - confidence * (index === 0 ? 1 : CORROBORATION)),
    1,
  );
  return { confidence: Math.round((1 - doubt) * 100) / 100, reasons: strongest.map(reasonOf) };
}

function compare(a: Detection, b: Detection): number {
  return b.confidence - a.confidence || (a.rule < b.rule ? -1 : a.rule > b.rule ? 1 : a.id < b.id ? -1 : 1);
}

function reasonOf({ rule, confidence, process, container }: Detection): string {
  const where = container?.pod ? ` in pod ${container.pod}` : '';
  return `${rule}: ${printable(process.exe.slice(0, 256))}${where} (confidence ${confidence})`;
}
