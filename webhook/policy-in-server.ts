import type { KubeObject } from '../api/object.ts';
import type { Cluster } from '../kube/cluster.ts';
import { KIND, type Kind } from '../kube/kind.ts';
import { Reflector } from '../kube/reflector.ts';
import { policyGaps, QUARANTINE_POLICY } from './quarantine-policy.ts';

/**
 * Watches whether the policy by which the API server itself holds quarantines is there, with its binding. Nobody waits
 * for that: it is told to people, and nothing is decided by it.
 */
export class PolicyInServer {
  readonly #policy: Reflector<KubeObject>;
  readonly #binding: Reflector<KubeObject>;

  constructor(cluster: Cluster, onError: (error: unknown) => void) {
    const watch = (kind: Kind) =>
      new Reflector<KubeObject>({
        cluster,
        kind,
        fieldSelector: `metadata.name=${QUARANTINE_POLICY}`,
        onError,
      });
    this.#policy = watch(KIND.ValidatingAdmissionPolicy);
    this.#binding = watch(KIND.ValidatingAdmissionPolicyBinding);
  }

  /** What keeps it from refusing, a sentence each; undefined as long as that is not known. */
  get gaps(): readonly string[] | undefined {
    if (!this.#policy.isSynced || !this.#binding.isSynced) return undefined;
    const name = { name: QUARANTINE_POLICY };
    return policyGaps(this.#policy.store.get(name), this.#binding.store.get(name));
  }

  /** Calls `changed` when it may be otherwise. Answers how to stop that. */
  listen(changed: () => void): () => void {
    const stops = [this.#policy, this.#binding].map((watched) => {
      void watched.synced.then(changed);
      return watched.store.listen({ onSet: changed, onDelete: changed });
    });
    return () => {
      for (const stop of stops) stop();
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#policy.stop(), this.#binding.stop()]);
  }
}
