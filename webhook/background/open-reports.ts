import { createHash } from 'node:crypto';
import { KubesentryError } from '../../api/errors.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { everyObject } from '../../kube/every-object.ts';
import { KIND } from '../../kube/kind.ts';
import type { Standing } from './results.ts';

const MANAGED_BY = 'app.kubernetes.io/managed-by';

/** Reports that one round writes; what is beyond them is in the count of the round. */
const MOST = 1000;
const RESULTS = 16;

/**
 * Where the cluster knows Reports (openreports.io/v1alpha1), keeps one for each workload that would be refused today, in
 * its namespace and owned by it, so that it goes when the workload goes. What is no longer found is deleted; what did not
 * change is not written. Answers how many there are, undefined where nobody installed that kind.
 */
export async function keepReports(
  cluster: Pick<Cluster, 'list' | 'apply' | 'delete'>,
  found: readonly Standing[],
): Promise<number | undefined> {
  const before = new Map<string, KubeObject>();
  try {
    for await (const report of everyObject(cluster, KIND.Report, undefined, `${MANAGED_BY}=kubesentry`)) {
      before.set(keyOf(report), report);
    }
  } catch (error) {
    if (error instanceof KubesentryError && error.code === 'KUBE_NOT_FOUND') return undefined;
    throw error;
  }
  for (const standing of found.slice(0, MOST)) {
    const report = reportOf(standing);
    const { metadata } = before.get(keyOf(report)) ?? {};
    before.delete(keyOf(report));
    if (metadata?.annotations?.[DIGEST] !== report.metadata.annotations?.[DIGEST]) {
      await cluster.apply(KIND.Report, report);
    }
  }
  for (const { metadata } of before.values()) {
    await cluster.delete(KIND.Report, { name: metadata.name ?? '', namespace: metadata.namespace });
  }
  return Math.min(found.length, MOST);
}

/** Tells whether a Report says the same without comparing what the API server made of it. */
const DIGEST = 'kubesentry.io/digest';

function reportOf({ object, ruling }: Standing): KubeObject {
  const { apiVersion, kind, metadata } = object;
  const { name = '', namespace = '', uid = '' } = metadata;
  const results = ruling.findings.slice(0, RESULTS).map(({ rule, severity, path, message, remedy }) => ({
    source: 'kubesentry',
    policy: 'cryptomining',
    category: 'Cryptomining',
    rule,
    severity,
    result: 'fail',
    scored: true,
    message,
    properties: { path, remedy },
  }));
  const content = {
    source: 'kubesentry',
    scope: { apiVersion, kind, name, namespace, uid },
    summary: { fail: results.length, pass: 0, warn: 0, error: 0, skip: 0 },
    results,
  };
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32);
  return {
    apiVersion: 'openreports.io/v1alpha1',
    kind: 'Report',
    metadata: {
      name: `kubesentry-${uid}`,
      namespace,
      labels: { [MANAGED_BY]: 'kubesentry' },
      annotations: { [DIGEST]: digest },
      ownerReferences: [{ apiVersion, kind, name, uid }],
    },
    ...content,
  };
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}
