import type { Detection } from '../../api/detection.ts';

/** A detection with a given id and nothing special about it. */
export function sampleDetection(number: number, changes: Partial<Detection> = {}): Detection {
  return {
    id: number.toString(16).padStart(32, '0'),
    time: '2026-01-01T00:00:00.000Z',
    rule: 'miner-name',
    severity: 'critical',
    confidence: 1,
    action: 'none',
    process: { pid: 42, exe: '/tmp/xmrig', argv: ['xmrig'], uid: 0, sha256: null, ancestors: [] },
    container: null,
    evidence: {},
    repeats: 0,
    ...changes,
  };
}
