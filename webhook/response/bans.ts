import type { Ban, Facet } from '../../api/fingerprint.ts';
import type { Incident } from '../../api/incident.ts';
import type { PodIndex } from '../pod-index.ts';

/** Of one Quarantine. */
const BANS = 64;

/** A creator is mostly a controller or a pipeline that makes good workloads as well: that ban is for people. */
const AUTOMATIC: ReadonlySet<Facet> = new Set(['template', 'image', 'owner', 'wallet', 'pool', 'binary']);

/**
 * Bans of those facets of which an attacker makes as many as they like, in one Quarantine: they must leave room for what
 * is learned later of the workload itself.
 */
const MOST: Partial<Record<Facet, number>> = { wallet: 20, pool: 20, binary: 12 };

/**
 * The traits of an incident that may be denied in every namespace. An image or a template that another workload uses
 * is no trait of the attack: the attacker got into something that others run too.
 */
export function bannable({ spec, status }: Incident, pods: Pick<PodIndex, 'isShared'>): Ban[] {
  return (status?.fingerprint ?? []).filter(({ facet, value }) => {
    if (!AUTOMATIC.has(facet)) return false;
    const canBeShared = facet === 'template' || facet === 'image';
    return !(canBeShared && pods.isShared(facet, value, spec.namespace, spec.workload));
  });
}

/** Those of `wanted` that are no bans yet and find room beside them. */
export function further(wanted: readonly Ban[], bans: readonly Ban[]): Ban[] {
  const known = new Set(bans.map(({ facet, value }) => `${facet}:${value}`));
  const counts = new Map<Facet, number>();
  for (const { facet } of bans) counts.set(facet, (counts.get(facet) ?? 0) + 1);
  return wanted
    .filter(({ facet, value }) => {
      const count = counts.get(facet) ?? 0;
      if (known.has(`${facet}:${value}`) || count >= (MOST[facet] ?? BANS)) return false;
      counts.set(facet, count + 1);
      return true;
    })
    .slice(0, Math.max(BANS - bans.length, 0));
}
