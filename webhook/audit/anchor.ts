import type { Incident } from '../../api/incident.ts';
import type { PodIndex } from '../pod-index.ts';
import type { Anchor } from './author.ts';
import type { Fact } from './fact.ts';

/** What an incident is attributed by; undefined for a process of a node, which nobody sent to the API server. */
export function anchorOf({ spec, status }: Incident, pods: Pick<PodIndex, 'named'>): Anchor | undefined {
  if (!status || spec.namespace === '' || spec.workload.kind === 'Node') return undefined;
  const uids = new Map(
    status.detections.flatMap(({ container }) =>
      container?.pod ? [[container.pod, container.podUid ?? ''] as const] : [],
    ),
  );
  for (const each of status.pods) {
    const [namespace = '', name = ''] = each.split('/');
    if (!uids.get(name)) uids.set(name, pods.named(namespace, name)?.uid ?? '');
  }
  return {
    namespace: spec.namespace,
    workload: spec.workload,
    pods: [...uids].map(([name, uid]) => ({ name, uid })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    fingerprint: status.fingerprint.filter(({ facet }) => facet !== 'owner' && facet !== 'creator'),
    time: Date.parse(status.firstSeen),
  };
}

/** Whether a fact may change what is said about an incident; everything that could enable somebody may. */
export function concerns({ actor, address, target, fingerprint }: Fact, { spec, status }: Incident): boolean {
  const { namespace, resource } = target;
  if (namespace === spec.namespace && namespace !== '') return true;
  if (ENABLING.has(resource)) return true;
  const creator = status?.attribution?.creator;
  if (creator && (creator.user === actor.user || (address !== '' && creator.address === address)))
    return true;
  return fingerprint.some(({ facet, value }) =>
    status?.fingerprint.some((trait) => trait.facet === facet && trait.value === value),
  );
}

const ENABLING: ReadonlySet<string> = new Set(['clusterrolebindings', 'rolebindings']);
