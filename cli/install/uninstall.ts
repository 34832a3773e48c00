import { KubesentryError } from '../../api/errors.ts';
import { LABEL, QUARANTINE_NETWORK_POLICY, QUARANTINE_NOTE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { everyObject } from '../../kube/every-object.ts';
import { KIND } from '../../kube/kind.ts';
import { kindOf, nameOf } from './manifest.ts';

export interface UninstallOptions {
  cluster: Cluster;
  manifest: readonly KubeObject[];
  write: (line: string) => void;
  /** Milliseconds for each object to be gone. */
  patienceMs: number;
}

/** What the API server asks or enforces by itself goes before those who answer it. */
const FIRST = [
  'ValidatingWebhookConfiguration',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingAdmissionPolicy',
];

/** Then the programs, so that nothing writes what is taken away; definitions take their objects along. */
const THEN = ['Deployment', 'DaemonSet', 'CustomResourceDefinition'];

/**
 * Takes everything away in an order in which nothing hangs: what can refuse, then the programs, what quarantines left
 * in other namespaces, the kinds with their objects, and last the rights and the namespace. Resolves when all is gone.
 * Repeating it goes on where it ended. Raises what the API server raises, and NOT_READY.
 */
export async function uninstall({ cluster, manifest, write, patienceMs }: UninstallOptions): Promise<void> {
  const rank = ({ kind }: KubeObject) => {
    const at = [...FIRST, ...THEN].indexOf(kind);
    if (at >= 0) return at;
    return kind === 'Namespace' ? 100 : 99;
  };
  const ordered = [...manifest].sort((a, b) => rank(a) - rank(b));
  const before = ordered.filter(({ kind }) => FIRST.includes(kind));
  const programs = ordered.filter(({ kind }) => kind === 'Deployment' || kind === 'DaemonSet');
  const rest = ordered.filter((object) => !before.includes(object) && !programs.includes(object));
  await removeAll(before);
  await removeAll(programs);
  await freeNamespaces();
  await removeAll(rest);

  async function removeAll(objects: readonly KubeObject[]): Promise<void> {
    for (const object of objects) {
      const { name = '', namespace } = object.metadata;
      const key = { name, namespace };
      const find = () => cluster.get(kindOf(object), key).catch(absent);
      if (!(await find())) continue;
      await cluster.delete(kindOf(object), key, { propagation: 'Foreground' });
      const deadline = performance.now() + patienceMs;
      while (await find()) {
        if (performance.now() > deadline) {
          const why = `${nameOf(object)} is deleted but not gone: look at its finalizers.`;
          throw new KubesentryError('NOT_READY', why);
        }
        await pause();
      }
      write(`${nameOf(object)} removed\n`);
    }
  }

  /** Nobody who would release them is alive now. */
  async function freeNamespaces(): Promise<void> {
    for await (const { metadata } of everyObject(cluster, KIND.Namespace, undefined, LABEL.quarantine)) {
      const { name = '' } = metadata;
      const networkPolicy = { namespace: name, name: QUARANTINE_NETWORK_POLICY };
      const taken = { labels: { [LABEL.quarantine]: null }, annotations: { [QUARANTINE_NOTE]: null } };
      await onceForgotten(() => cluster.delete(KIND.NetworkPolicy, networkPolicy));
      await onceForgotten(() => cluster.patch(KIND.Namespace, { name }, { metadata: taken }));
      write(`Namespace ${name} released\n`);
    }
  }

  /** What guarded it is deleted; the API server goes on enforcing it until its own watch tells. */
  async function onceForgotten(act: () => Promise<unknown>): Promise<void> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      try {
        await act();
        return;
      } catch (error) {
        const isGuarded = error instanceof KubesentryError && error.code === 'KUBE_REFUSED';
        if (!isGuarded || performance.now() > deadline) throw error;
        await pause();
      }
    }
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 200));

/** A kind that the API server does not know has no objects. */
function absent(error: unknown): undefined {
  if (error instanceof KubesentryError && error.code === 'KUBE_NOT_FOUND') return undefined;
  throw error;
}
