import type { KubeObject } from '../../api/object.ts';
import type { HttpCluster } from '../../kube/http/cluster.ts';

export interface Finding {
  /** Only WRONG is in the way; `look` is for people to judge. */
  state: 'ok' | 'look' | 'WRONG' | 'unknown';
  detail: string;
}

export interface Situation {
  cluster: HttpCluster;
  /** What would be installed. */
  manifest: readonly KubeObject[];
}

export type Check = (situation: Situation) => Promise<Finding>;
