import type { Action } from '../../api/detection.ts';
import type { Finding } from '../../api/finding.ts';
import type { EventView } from '../../bpf/event-view.ts';
import { CONNECT_SOURCE, VERDICT } from '../../bpf/events.ts';
import { finding } from '../signal.ts';

export interface PoolNameVerdict {
  findings: Finding[];
  action: Action;
  evidence: { pools: string[]; destinations?: { address: string; port: number }[] };
}

/** Pools serve their web pages on this one; miners use it to hide. */
const WEB = 443;
const WEB_SCORE = 70;

/**
 * Judges a name that the kernel found listed: `domain` is what is listed, the name itself may be a host below it. A
 * question to DNS is medium evidence, since it may be for a web page; the server name of a connection, or what a proxy is
 * asked for, is conclusive unless it is to the port of web pages.
 */
export function judgePoolName(event: EventView, domain: string): PoolNameVerdict {
  const { source, remoteAddress: address, remotePort: port } = event;
  if (source === CONNECT_SOURCE.dns) {
    const asked = finding('pool-lookup', 'dns', `It asked DNS for ${domain} or a host below it.`, domain);
    return { findings: [asked], action: 'none', evidence: { pools: [domain] } };
  }
  const isAsked = source === CONNECT_SOURCE.proxy;
  const message = isAsked
    ? `It asks a proxy at ${address}, port ${port}, to connect to ${domain}, port ${event.askedPort}.`
    : `It connects to ${address}, port ${port}, by TLS with a server name of ${domain}.`;
  const named = finding('pool-host', isAsked ? 'proxy' : 'tls', message, domain);
  const isWeb = (isAsked ? event.askedPort : port) === WEB;
  return {
    findings: [isWeb ? { ...named, score: WEB_SCORE } : named],
    action: event.verdict === VERDICT.enforced ? 'dropped' : 'none',
    evidence: { pools: [domain], destinations: [{ address, port }] },
  };
}
