import type { Facet, Fingerprint } from '../../api/fingerprint.ts';
import type { Actor, Fact } from './fact.ts';
import type { Handle } from './handles.ts';
import type { History } from './history.ts';
import { isClusterPart, succeeded } from './identity.ts';
import { isWorkloadWrite, keyOf, type PlacedWorkload, workloadOf } from './workload.ts';

/** Another workload that may be part of the attack. */
export interface Sibling extends PlacedWorkload {
  /** strong: it carries the attack itself, or comes from somebody who cannot be legitimate. medium: worth a look. */
  strength: 'strong' | 'medium';
  /** What connects it, the strongest first. */
  reasons: string[];
  /** Facets that it shares. */
  shares: Facet[];
  /** Of the first request that joined it. */
  auditID: string;
  time: number;
  actor: Actor;
}

/** Nobody else has these by chance. */
const OWN: ReadonlySet<Facet> = new Set(['wallet', 'pool', 'binary']);

/** Images and commands that more than this many people deploy are common goods. */
const COMMON_FROM = 3;

export interface Joins {
  fingerprint: Fingerprint;
  handles: readonly (Handle & { tainted: boolean })[];
  /** Whether a workload is the one that was caught. */
  isAnchor: (workload: PlacedWorkload) => boolean;
}

/**
 * Workloads of the same traits or of the same hands. Joined by hands alone they are candidates to look at: the
 * strength says whether more than that. A handle that is shared with others joins nothing.
 */
export async function siblingsOf(
  { fingerprint, handles, isAnchor }: Joins,
  history: History,
): Promise<Sibling[]> {
  const found = new Map<string, Sibling>();
  const join = (fact: Fact, reason: string): Sibling | undefined => {
    const workload = isWorkloadWrite(fact) && succeeded(fact) ? workloadOf(fact) : undefined;
    if (!workload || isAnchor(workload)) return undefined;
    const known = found.get(keyOf(workload)) ?? fresh(workload, fact);
    if (!known.reasons.includes(reason)) known.reasons.push(reason);
    found.set(keyOf(workload), known);
    return known;
  };
  for (const { facet, value } of fingerprint) {
    if (facet === 'owner' || facet === 'creator') continue;
    const facts = await history.find({ facet: `${facet}:${value}`, writesOnly: true });
    const authors = new Set(
      facts.filter(({ actor }) => !isClusterPart(actor)).map(({ actor }) => actor.user),
    );
    if (!OWN.has(facet) && authors.size > COMMON_FROM) continue;
    for (const fact of facts) {
      const sibling = join(fact, `has the same ${facet}`);
      if (sibling && !sibling.shares.includes(facet)) sibling.shares.push(facet);
      if (sibling && OWN.has(facet)) sibling.strength = 'strong';
    }
  }
  for (const { words, writes, tainted, shared } of handles) {
    if (shared !== undefined) continue;
    for (const fact of writes) {
      const sibling = join(fact, `was written ${words} as well`);
      // A pipeline deploys the same thing to two namespaces; its handles are shared and do not come here.
      if (sibling && (tainted || sibling.shares.length > 0)) sibling.strength = 'strong';
    }
  }
  return [...found.values()].sort(
    (a, b) =>
      Number(b.strength === 'strong') - Number(a.strength === 'strong') ||
      b.reasons.length - a.reasons.length ||
      (keyOf(a) < keyOf(b) ? -1 : 1),
  );
}

function fresh(workload: PlacedWorkload, { id, time, actor }: Fact): Sibling {
  return { ...workload, strength: 'medium', reasons: [], shares: [], auditID: id, time, actor };
}
