import { type Condition, setCondition } from '../../api/object.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';

/** How far one effect of a Quarantine is. */
export type Effect = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

/** The conditions of a Quarantine with these in place of what was said before. */
export function withEffects(
  { metadata, status }: Quarantine,
  effects: readonly Effect[],
  now: Date,
): Condition[] {
  const { generation } = metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  return effects.reduce<Condition[]>(
    (all, effect) => setCondition(all, { ...effect, ...observed }, now.toISOString()),
    status?.conditions ?? [],
  );
}

/** Says in the status of a Quarantine how far one of its effects is; refused when somebody changed it meanwhile. */
export async function sayEffect(
  quarantine: Quarantine,
  effect: Effect,
  cluster: Pick<Cluster, 'patch'>,
  now: Date,
): Promise<Quarantine> {
  const { name = '', resourceVersion } = quarantine.metadata;
  return cluster.patch(
    KIND.Quarantine,
    { name },
    { metadata: { resourceVersion }, status: { conditions: withEffects(quarantine, [effect], now) } },
    { subresource: 'status' },
  );
}
