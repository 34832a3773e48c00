import type { Action } from '../../api/detection.ts';
import type { Finding } from '../../api/finding.ts';
import type { EventView } from '../../bpf/event-view.ts';
import { EVENT, VERDICT } from '../../bpf/events.ts';
import { isMiningPort, judgeDestination } from '../../detection/destination.ts';
import type { Indicators } from '../../detection/indicators.ts';

/** What a connection says about who made it. */
export interface ConnectVerdict {
  findings: Finding[];
  action: Action;
  evidence: { destinations: { address: string; port: number }[] };
}

/**
 * Judges one connection. Undefined for the many that say nothing; those cost no more than two reads. The kernel
 * compares the address with the list, so that here only listed ones are looked at,
 * and ports that pools like. A socket that was there before us was compared with nothing yet.
 */
export function judgeConnect(event: EventView, indicators: Indicators): ConnectVerdict | undefined {
  const { verdict, remotePort: port } = event;
  const isCompared = event.type === EVENT.connect;
  if (isCompared && verdict === VERDICT.none && !isMiningPort(port)) return undefined;
  const address = event.remoteAddress;
  const findings = judgeDestination({ address, port }, { indicators });
  // Refused without a finding: the quarantine did it, which is nobody's detection.
  if (findings.length === 0) return undefined;
  return {
    findings,
    action: verdict === VERDICT.enforced ? 'refused' : 'none',
    evidence: { destinations: [{ address, port }] },
  };
}
