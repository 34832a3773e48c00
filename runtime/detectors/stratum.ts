import type { Action } from '../../api/detection.ts';
import type { Finding } from '../../api/finding.ts';
import type { EventView } from '../../bpf/event-view.ts';
import { VERDICT } from '../../bpf/events.ts';
import { finding } from '../signal.ts';

export interface StratumVerdict {
  findings: Finding[];
  action: Action;
  evidence: { protocol: 'stratum'; methods: string[]; destinations: { address: string; port: number }[] };
}

/** Requests that are spoken elsewhere too: to nodes of a chain, by services that mine data, log in or keep alive. */
const AMBIGUOUS: Partial<Record<string, number>> = {
  getjobtemplate: 60,
  keepalived: 60,
  'mining.*': 60,
  'bare login': 60,
};

/** Judges what the kernel recognised in outgoing bytes. The bytes themselves never leave the kernel. */
export function judgeStratum(event: EventView): StratumVerdict {
  const { method, remoteAddress: address, remotePort: port } = event;
  const found = finding(
    'pool-protocol',
    'connection',
    `It sent ${method} to ${address}, port ${port}.`,
    method,
  );
  const score = AMBIGUOUS[method] ?? found.score;
  return {
    findings: [{ ...found, score }],
    action: event.verdict === VERDICT.enforced ? 'dropped' : 'none',
    evidence: { protocol: 'stratum', methods: [method], destinations: [{ address, port }] },
  };
}
