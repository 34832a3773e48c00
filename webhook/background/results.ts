import { BACKGROUND_CONFIG_MAP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import type { Ruling } from '../admission/gate.ts';
import { eventOf } from '../event.ts';

/** One workload that exists and would be refused today. */
export interface Standing {
  object: KubeObject;
  ruling: Ruling;
}

/** Named in the results; the others are counted. */
const NAMED = 100;

/** Where `kubectl kubesentry status` reads what was found. */
const RESULTS = { namespace: SYSTEM_NAMESPACE, name: BACKGROUND_CONFIG_MAP } as const;

/** Keeps what one round found; the next round replaces it. */
export async function keepResults(
  cluster: Pick<Cluster, 'apply'>,
  judged: number,
  found: readonly Standing[],
  now: Date,
): Promise<void> {
  const lines = found
    .slice(0, NAMED)
    .map(({ object, ruling }) => `${titleOf(object)}: ${ruling.findings[0]?.rule} (score ${ruling.score})`);
  await cluster.apply(KIND.ConfigMap, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...RESULTS },
    data: {
      time: now.toISOString(),
      judged: String(judged),
      found: String(found.length),
      workloads: lines.join('\n'),
    },
  });
}

/** Tells whoever looks at the workload. The same finding again is the same Event. */
export function standingEvent({ object, ruling }: Standing, now: Date): KubeObject {
  const { namespace, name = '', uid = '' } = object.metadata;
  const [first] = ruling.findings;
  const why = first ? ` ${first.rule} at ${first.path}: ${first.message} To do: ${first.remedy}` : '';
  return eventOf({
    name: `background-${uid.slice(0, 36)}`,
    namespace,
    type: 'Warning',
    reason: 'WouldBeRefused',
    action: 'Judge',
    note: `${titleOf(object)} runs, and today it would be refused: ${ruling.reason}${why}`,
    time: now.toISOString(),
    regarding: { apiVersion: object.apiVersion, kind: object.kind, name, uid },
  });
}

function titleOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}
