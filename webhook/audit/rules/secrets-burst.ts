import { LRUCache } from 'lru-cache';
import type { Severity } from '../../../api/finding.ts';
import type { Fact } from '../fact.ts';
import { isClusterPart, serviceAccountOf, succeeded } from '../identity.ts';
import { type Rule, who } from './finding.ts';

const SESSIONS = 5_000;
const WINDOW_MS = 60_000;

/** Different Secrets, or lists of different namespaces, within a minute. */
const BURST_FROM = 10;

interface Window {
  /** What was read, with when it was read last. */
  reads: Map<string, number>;
  told: number;
}

/**
 * Somebody reads more Secrets within a minute than work needs. Controllers read them by watching, which is one request
 * for each namespace; a chart is a handful in one namespace.
 */
export function secretsBurst(): Rule {
  const windows = new LRUCache<string, Window>({ max: SESSIONS });
  return (fact) => {
    const { actor, address, target, verb, time } = fact;
    const reads = target.resource === 'secrets' && (verb === 'get' || verb === 'list');
    if (!reads || isClusterPart(actor) || !succeeded(fact)) return undefined;
    const session = `${actor.user} ${address}`;
    const window = windows.get(session) ?? { reads: new Map(), told: Number.NEGATIVE_INFINITY };
    windows.set(session, window);
    window.reads.set(`${target.namespace}/${target.name}`, time);
    const fresh = [...window.reads].filter(([, at]) => Math.abs(time - at) <= WINDOW_MS);
    // One more than the bound is as good as thousands.
    window.reads = new Map(fresh.slice(-BURST_FROM - 1));
    if (window.reads.size <= BURST_FROM || Math.abs(time - window.told) <= WINDOW_MS) return undefined;
    window.told = time;
    return {
      severity: severityOf(fact, [...window.reads.keys()]),
      message: `${who(fact)} read more than ${BURST_FROM} Secrets within a minute.`,
    };
  };
}

/** A service account in its own namespace may be an application that starts. */
function severityOf({ actor }: Fact, reads: readonly string[]): Severity {
  const namespaces = new Set(reads.map((read) => read.slice(0, read.indexOf('/'))));
  if (namespaces.size > 1) return 'high';
  return serviceAccountOf(actor.user)?.namespace === [...namespaces][0] ? 'low' : 'medium';
}
