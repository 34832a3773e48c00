import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../../api/object.ts';

/**
 * An attack as it was seen from outside, line by line in order: what the API server asked and told, what the kernel
 * told, and what came of it. Made by `node test/golden/record.ts`, played by golden.test.ts.
 */
export type Line =
  /** Exists from the beginning. */
  | { line: 'object'; object: KubeObject }
  /** One AdmissionReview and what was answered. */
  | { line: 'review'; review: object; allowed: boolean; message: string }
  /** Events of one audit.k8s.io/v1 EventList. */
  | { line: 'audit'; items: object[] }
  /** Records of the ring buffer, base64. */
  | { line: 'kernel'; events: string[] }
  /** The namespace was contained here. */
  | { line: 'contained' }
  | { line: 'outcome'; outcome: Outcome };

/** What has to be the same whenever it is played. */
export interface Outcome {
  phase: string | undefined;
  confidence: number | undefined;
  rules: string[];
  /** Program and arguments of what spoke to the pool, and of what started it. */
  process: { exe: string; argv: string[]; ancestors: string[] };
  facets: string[];
  creator: { user: string; address: string } | undefined;
  wayIn: string[];
  siblings: string[];
}

export const RECORDING = join(import.meta.dirname, 'attack.jsonl');

export function readRecording(text = readFileSync(RECORDING, 'utf8')): Line[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

/** A message without what differs each time: times, and the full path of a binary, which only /proc knows. */
export function timeless(message: string): string {
  return message.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME').replace(/: \/\S+ in pod/g, ': BINARY in pod');
}
