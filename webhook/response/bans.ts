import type { Ban, Facet } from '../../api/fingerprint.ts';
import type { Incident } from '../../api/incident.ts';
import type { PodIndex } from '../pod-index.ts';

/** A creator is mostly a controller or a pipeline that makes good workloads as well: that ban is for people. */
const AUTOMATIC: ReadonlySet<Facet> = new Set(['template', 'image', 'owner', 'wallet', 'pool', 'binary']);

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
