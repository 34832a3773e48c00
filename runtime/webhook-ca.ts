import { readFile } from 'node:fs/promises';
import { CA_CONFIG_MAP, SYSTEM_NAMESPACE } from '../api/names.ts';
import type { Cluster } from '../kube/cluster.ts';
import { KIND } from '../kube/kind.ts';

/** A rotated CA overlaps with the one before for days; a new installation's is wanted soon. */
const REFRESH_MS = 10_000;

/**
 * Answers, before each report, which CA to trust, PEM: that in `file` where one is given, otherwise the one that the
 * webhook publishes in a ConfigMap. Read through the API server and not from a volume, since an agent that starts
 * before the webhook would wait a minute for the kubelet to fill it. Undefined while there is none.
 */
export function webhookCa(
  file: string | undefined,
  cluster: Cluster | undefined,
): () => Promise<string | undefined> {
  if (file !== undefined) return () => readFile(file, 'utf8');
  if (cluster === undefined) return async () => undefined;
  let known: { ca: string; at: number } | undefined;
  return async () => {
    if (known && Date.now() - known.at < REFRESH_MS) return known.ca;
    const configMap = await cluster.get(KIND.ConfigMap, { namespace: SYSTEM_NAMESPACE, name: CA_CONFIG_MAP });
    const ca = (configMap?.data as { 'ca.crt'?: string } | undefined)?.['ca.crt'];
    known = ca === undefined ? undefined : { ca, at: Date.now() };
    return ca;
  };
}
