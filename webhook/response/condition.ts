import { type Condition, setCondition } from '../../api/object.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';

/** Says in the status of a Quarantine how far one of its effects is; refused when somebody changed it meanwhile. */
export async function sayCondition(
  { metadata, status }: Quarantine,
  condition: Omit<Condition, 'lastTransitionTime'>,
  cluster: Pick<Cluster, 'patch'>,
  now: Date,
): Promise<void> {
  const { name = '', generation, resourceVersion } = metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const conditions = setCondition(status?.conditions ?? [], { ...condition, ...observed }, now.toISOString());
  await cluster.patch(
    KIND.Quarantine,
    { name },
    { metadata: { resourceVersion }, status: { conditions } },
    { subresource: 'status' },
  );
}
