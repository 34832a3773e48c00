import { SYSTEM_NAMESPACE } from '../api/names.ts';
import type { KubeObject } from '../api/object.ts';
import type { Cluster, Stored } from '../kube/cluster.ts';
import { KIND, type Kind } from '../kube/kind.ts';
import { Reflector } from '../kube/reflector.ts';
import type { Enforcer } from './enforce.ts';
import type { Log } from './log.ts';
import type { Pods } from './pods.ts';
import { type RuntimePolicy, runtimePolicy } from './policy.ts';
import type { Watch } from './watch.ts';

export interface ClusterWatchOptions {
  cluster: Cluster;
  node: string;
  /** What holds without any policy of the cluster. */
  base: RuntimePolicy;
  pods: Pods;
  enforcer: Enforcer;
  watch: Watch;
  log: Log;
}

/** An agent must not wait for an API server that is away, but names are better than no names. */
const PATIENCE_MS = 3000;

/**
 * Follows the pods of this node, the policies and the quarantines for as long as the agent runs. Resolves when all of
 * them were read once, or after three seconds: what comes later counts from then on.
 */
export async function watchCluster(options: ClusterWatchOptions): Promise<{ close(): Promise<void> }> {
  const { cluster, node, base, pods, enforcer, watch, log } = options;
  const follow = <T extends Stored>(kind: Kind<T>, fieldSelector?: string, transform?: (object: T) => T) =>
    new Reflector({
      cluster,
      kind,
      fieldSelector,
      transform,
      onError: (error) =>
        log.warn({ kind: kind.kind, err: error }, 'cannot follow the API server; trying again'),
    });

  const podReflector = follow(KIND.Pod, `spec.nodeName=${node}`, trimPod);
  const quarantines = follow(KIND.Quarantine);
  const policies = follow(KIND.SentryPolicy, `metadata.namespace=${SYSTEM_NAMESPACE}`);

  const apply = () => {
    const specs = [...policies.store.values()].map(({ spec }) => spec);
    const policy = runtimePolicy(base, specs, [...quarantines.store.values()], () => new Date());
    enforcer.apply(policy);
    watch.indicators = policy.indicators;
  };
  podReflector.store.listen({
    onSet: (pod) => enforcer.podsChanged(pods.set(pod)),
    onDelete: (pod) => enforcer.podsChanged(pods.delete(pod)),
  });
  quarantines.store.listen({
    onSet: (quarantine) => {
      enforcer.contain(quarantine);
      apply();
    },
    onDelete: (quarantine) => {
      enforcer.release(quarantine.metadata.name ?? '');
      apply();
    },
  });
  policies.store.listen({ onSet: apply, onDelete: apply });

  const reflectors = [podReflector, quarantines, policies];
  const { promise, resolve } = Promise.withResolvers<void>();
  const patience = setTimeout(resolve, PATIENCE_MS);
  await Promise.race([promise, Promise.all(reflectors.map(({ synced }) => synced))]);
  clearTimeout(patience);
  return {
    async close() {
      await Promise.all(reflectors.map((reflector) => reflector.stop()));
    },
  };
}

/** What pods.ts reads of a pod; the rest of it is most of its size. */
function trimPod(pod: KubeObject): KubeObject {
  const { apiVersion, kind, metadata, spec, status } = pod as KubeObject &
    Record<'spec' | 'status', Record<string, unknown>>;
  return {
    apiVersion,
    kind,
    metadata,
    spec: { containers: spec?.containers, initContainers: spec?.initContainers },
    status: {
      containerStatuses: status?.containerStatuses,
      initContainerStatuses: status?.initContainerStatuses,
      ephemeralContainerStatuses: status?.ephemeralContainerStatuses,
    },
  };
}
