import type { Ban, Facet } from '../../api/fingerprint.ts';
import type { Incident } from '../../api/incident.ts';
import type { KnownContainer, PodIndex } from '../pod-index.ts';

/** A creator is mostly a controller or a pipeline that makes good workloads as well: that ban is for people. */
const AUTOMATIC: ReadonlySet<Facet> = new Set(['template', 'image', 'owner', 'wallet', 'pool', 'binary']);

/**
 * The traits of an incident that may be denied in every namespace. An image or a template that another workload uses
 * is no trait of the attack: the attacker got into something that others run too.
 */
export function bannable({ spec, status }: Incident, pods: Pick<PodIndex, 'values'>): Ban[] {
  const traits = (status?.fingerprint ?? []).filter(({ facet }) => AUTOMATIC.has(facet));
  const shared = sharedTraits(spec, pods);
  return traits.filter(({ facet, value }) => !shared.has(`${facet}:${value}`));
}

/** Images and templates of the containers of all other workloads. */
function sharedTraits(
  { namespace, workload }: Incident['spec'],
  pods: Pick<PodIndex, 'values'>,
): ReadonlySet<string> {
  const shared = new Set<string>();
  for (const pod of pods.values()) {
    const isSame = pod.workload.kind === workload.kind && pod.workload.name === workload.name;
    if (!pod.exists || (pod.namespace === namespace && isSame)) continue;
    for (const container of pod.containers) addTraits(shared, container);
  }
  return shared;
}

function addTraits(traits: Set<string>, { template, imageDigest }: KnownContainer): void {
  if (template !== undefined) traits.add(`template:${template}`);
  if (imageDigest !== undefined) traits.add(`image:${imageDigest}`);
}
