import type { Cluster } from '../../kube/cluster.ts';

/** What one look at a part of Kubesentry says; `detail` of what is wrong ends with what to do. */
export interface Finding {
  state: 'ok' | 'WRONG' | 'unknown';
  detail: string;
}

/** Raises what the cluster raises. */
export type Check = (cluster: Cluster) => Promise<Finding>;

export const ok = (detail: string): Finding => ({ state: 'ok', detail });
export const wrong = (detail: string): Finding => ({ state: 'WRONG', detail });

/** The first few of `names`, and how many there are beside them. */
export function some(names: readonly string[]): string {
  return names.length <= 4
    ? names.join(', ')
    : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`;
}
