import { KubesentryError } from '../../api/errors.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { kindOf, nameOf } from './manifest.ts';

/**
 * That of `kubectl apply --server-side`, so that one way may follow the other without a conflict; not the webhook's own:
 * what it writes into these objects stays its own.
 */
const FIELD_MANAGER = 'kubectl';

interface Condition {
  type: string;
  status: string;
}

export interface InstallOptions {
  cluster: Cluster;
  manifest: readonly KubeObject[];
  write: (line: string) => void;
  /** Milliseconds for each thing that is waited for. */
  patienceMs: number;
}

/**
 * Applies the manifest in its order, by server-side apply, and waits until the kinds are known and the workloads are
 * rolled out. Repeating it repairs or upgrades. Raises what the API server raises, and NOT_READY.
 */
export async function install({ cluster, manifest, write, patienceMs }: InstallOptions): Promise<void> {
  const isDefinition = ({ kind }: KubeObject) => kind === 'CustomResourceDefinition';
  for (const object of manifest) {
    const apply = () => cluster.apply(kindOf(object), object, { fieldManager: FIELD_MANAGER });
    await withName(object, apply);
    write(`${nameOf(object)} applied\n`);
    if (isDefinition(object)) await waitFor(object, 'known to the API server', isEstablished);
  }
  for (const object of manifest.filter(({ kind }) => kind === 'Deployment' || kind === 'DaemonSet')) {
    await waitFor(object, 'rolled out', isRolledOut);
    write(`${nameOf(object)} rolled out\n`);
  }

  async function waitFor(object: KubeObject, what: string, isSo: (live: KubeObject) => boolean) {
    const { name = '', namespace } = object.metadata;
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const live = await cluster.get(kindOf(object), { name, namespace });
      if (live && isSo(live)) return;
      if (performance.now() > deadline) {
        const seconds = Math.round(patienceMs / 1000);
        throw new KubesentryError(
          'NOT_READY',
          `${nameOf(object)} is not ${what} after ${seconds} s: ${whereToLook(object)} tells why.`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

function whereToLook({ kind, metadata: { name, namespace } }: KubeObject): string {
  return namespace === undefined
    ? `kubectl describe ${kind.toLowerCase()} ${name}`
    : `kubectl -n ${namespace} describe pods -l app.kubernetes.io/name=${name}`;
}

/** The server's own sentence does not always say what it speaks of. */
async function withName(object: KubeObject, apply: () => Promise<unknown>): Promise<void> {
  try {
    await apply();
  } catch (error) {
    if (!(error instanceof KubesentryError)) throw error;
    throw new KubesentryError(error.code, `${nameOf(object)}: ${error.message}`, { cause: error });
  }
}

function isEstablished({ status }: KubeObject): boolean {
  // The API server writes null of a definition that it has just taken.
  const { conditions } = (status ?? {}) as { conditions?: Condition[] | null };
  return conditions?.some((each) => each.type === 'Established' && each.status === 'True') ?? false;
}

interface Rollout {
  observedGeneration?: number;
  replicas?: number;
  updatedReplicas?: number;
  availableReplicas?: number;
  desiredNumberScheduled?: number;
  updatedNumberScheduled?: number;
  numberAvailable?: number;
}

function isRolledOut({ kind, metadata, spec, status }: KubeObject): boolean {
  const now = (status ?? {}) as Rollout;
  if ((now.observedGeneration ?? 0) < (metadata.generation ?? 0)) return false;
  if (kind === 'DaemonSet') {
    const wanted = now.desiredNumberScheduled ?? 0;
    return (now.updatedNumberScheduled ?? 0) >= wanted && (now.numberAvailable ?? 0) >= wanted;
  }
  const wanted = (spec as { replicas?: number } | undefined)?.replicas ?? 1;
  return [now.replicas, now.updatedReplicas, now.availableReplicas].every((count = 0) => count === wanted);
}
