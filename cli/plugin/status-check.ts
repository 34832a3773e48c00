import { KubesentryError } from '../../api/errors.ts';
import type { Cluster } from '../../kube/cluster.ts';

/** There is nothing to judge: it is not there, nobody has looked yet, or whoever asks may not see it. No fault. */
type Unjudged = 'absent' | 'not yet' | 'not seen';

/** What one look at a part of Kubesentry says; `detail` of what is wrong ends with what to do. */
export interface Finding {
  state: 'ok' | 'WRONG' | 'unknown' | Unjudged;
  detail: string;
}

/** Raises what the cluster raises. */
export type Check = (cluster: Cluster) => Promise<Finding>;

export const ok = (detail: string): Finding => ({ state: 'ok', detail });
export const wrong = (detail: string): Finding => ({ state: 'WRONG', detail });

export const unjudged = (state: Unjudged, detail: string): Finding => ({ state, detail });

/** Whether whoever runs this has to know. */
export function isFault({ state }: Pick<Finding, 'state'>): boolean {
  return state === 'WRONG' || state === 'unknown';
}

/** The first few of `names`, and how many there are beside them. */
export function some(names: readonly string[]): string {
  return names.length <= 4
    ? names.join(', ')
    : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`;
}

/** What was read, or `not allowed`: that somebody may not read everything is nothing wrong with Kubesentry. */
export async function ifAllowed<T>(reading: Promise<T>): Promise<T | 'not allowed'> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof KubesentryError && error.code === 'KUBE_REFUSED') return 'not allowed';
    throw error;
  }
}
