import type { Incident } from '../api/incident.ts';
import { LABEL, QUARANTINE_NETWORK_POLICY, SYSTEM_NAMESPACE } from '../api/names.ts';
import type { KubeObject } from '../api/object.ts';
import type { Quarantine } from '../api/quarantine.ts';
import type { SentryPolicy, SentryPolicySpec } from '../api/sentry-policy.ts';
import { type Indicators, withExtra } from '../detection/indicators.ts';
import type { Cluster } from '../kube/cluster.ts';
import { KIND } from '../kube/kind.ts';
import { withoutManagedFields } from '../kube/managed-fields.ts';
import { Reflector } from '../kube/reflector.ts';
import type { Facts } from './admission/gate.ts';
import { Policy } from './admission/policy.ts';
import { PodIndex } from './pod-index.ts';
import { PolicyInServer } from './policy-in-server.ts';
import { type PolicyProblem, policyProblems } from './policy-problems.ts';
import { QuarantineIndex } from './quarantine-index.ts';

/** A policy and what keeps it from being in force; nothing does mostly. */
export interface CheckedPolicy {
  policy: SentryPolicy;
  problems: readonly PolicyProblem[];
}

export interface ClusterViewOptions {
  cluster: Cluster;
  indicators: Indicators;
  onError: (error: unknown) => void;
}

/**
 * What this replica knows of the cluster, kept current by watches. Admission, intake and response decide from it and
 * from nothing else.
 */
export class ClusterView {
  readonly pods = new PodIndex();
  readonly quarantines = new QuarantineIndex();
  /** Those that this replica is about to write: admission goes by them already, the response does not. */
  readonly #expected = new QuarantineIndex();
  readonly #indicators: Indicators;
  readonly #reflectors: {
    quarantines: Reflector<Quarantine>;
    policies: Reflector<SentryPolicy>;
    namespaces: Reflector<KubeObject>;
    pods: Reflector<KubeObject>;
    incidents: Reflector<Incident>;
    /** Pods that were taken out of Services, and the NetworkPolicies by which namespaces are isolated. */
    detached: Reflector<KubeObject>;
    isolation: Reflector<KubeObject>;
  };
  readonly #policyInServer: PolicyInServer;
  /** By name, the spec that was in force last. */
  readonly #inForce = new Map<string, SentryPolicySpec>();
  #checked: CheckedPolicy[] = [];
  #policy = new Policy([]);
  #extended: Indicators;

  constructor({ cluster, indicators, onError }: ClusterViewOptions) {
    this.#indicators = indicators;
    this.#extended = indicators;
    const own = `metadata.namespace=${SYSTEM_NAMESPACE}`;
    this.#reflectors = {
      quarantines: new Reflector({ cluster, kind: KIND.Quarantine, onError }),
      policies: new Reflector({ cluster, kind: KIND.SentryPolicy, fieldSelector: own, onError }),
      namespaces: new Reflector<KubeObject>({ cluster, kind: KIND.Namespace, onError }),
      pods: new Reflector<KubeObject>({ cluster, kind: KIND.Pod, transform: essentials, onError }),
      incidents: new Reflector({ cluster, kind: KIND.Incident, onError }),
      detached: new Reflector<KubeObject>({
        cluster,
        kind: KIND.Pod,
        labelSelector: LABEL.detached,
        transform: withoutContents,
        onError,
      }),
      isolation: new Reflector<KubeObject>({
        cluster,
        kind: KIND.NetworkPolicy,
        labelSelector: LABEL.quarantine,
        transform: withoutContents,
        onError,
      }),
    };
    this.#policyInServer = new PolicyInServer(cluster, onError);
    this.#reflectors.quarantines.store.listen({
      onSet: (quarantine) => this.quarantines.set(quarantine),
      onDelete: ({ metadata }) => this.quarantines.delete(metadata.name ?? ''),
    });
    this.#reflectors.pods.store.listen({
      onSet: (pod) => this.pods.set(pod),
      onDelete: (pod) => this.pods.gone(pod),
    });
    const policyChanged = () => this.#readPolicies();
    this.#reflectors.policies.store.listen({ onSet: policyChanged, onDelete: policyChanged });
  }

  /** Resolves once every watch has its first complete list. */
  get synced(): Promise<unknown> {
    return Promise.all(Object.values(this.#reflectors).map(({ synced }) => synced));
  }

  /** What is not known yet, by name, and for how many milliseconds each watch has been silent. */
  get watches(): { name: string; synced: boolean; staleness: number }[] {
    return Object.entries(this.#reflectors).map(([name, { isSynced, staleness }]) => ({
      name,
      synced: isSynced,
      staleness,
    }));
  }

  get policy(): Policy {
    return this.#policy;
  }

  get indicators(): Indicators {
    return this.#extended;
  }

  namespaces(): Iterable<KubeObject> {
    return this.#reflectors.namespaces.store.values();
  }

  policies(): Iterable<CheckedPolicy> {
    return this.#checked;
  }

  incidents(): Iterable<Incident> {
    return this.#reflectors.incidents.store.values();
  }

  incidentNamed(name: string): Incident | undefined {
    return this.#reflectors.incidents.store.get({ name });
  }

  detached(): Iterable<KubeObject> {
    return this.#reflectors.detached.store.values();
  }

  /** Whether the NetworkPolicy that isolates the namespace is there. */
  isIsolated(namespace: string): boolean {
    const name = QUARANTINE_NETWORK_POLICY;
    return this.#reflectors.isolation.store.get({ namespace, name }) !== undefined;
  }

  /** What keeps the API server's own policy from holding quarantines; undefined as long as that is not known. */
  get policyGaps(): readonly string[] | undefined {
    return this.#policyInServer.gaps;
  }

  /**
   * Refuses here from now on what a Quarantine forbids that is being written. Answers how to end that: whether it could be
   * written or not, what is in force is told by the API server from then on.
   */
  expectQuarantine(wanted: Quarantine): () => void {
    this.#expected.set(wanted);
    return () => this.#expected.delete(wanted.metadata.name ?? '');
  }

  /** In force here at once; the watch brings it to the other replicas. */
  noteQuarantine(quarantine: Quarantine): void {
    this.#reflectors.quarantines.store.note(quarantine);
  }

  /** Known here at once, so that the next change of it rests on this one. */
  noteIncident(incident: Incident): void {
    this.#reflectors.incidents.store.note(withoutManagedFields(incident));
  }

  /** Calls `changed` after every change of what the response depends on. Answers how to stop that. */
  onResponseChange(changed: () => void): () => void {
    const { pods: _, ...watched } = this.#reflectors;
    const stops = [
      ...Object.values(watched).map(({ store }) => store.listen({ onSet: changed, onDelete: changed })),
      this.#policyInServer.listen(changed),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Calls `changed` with every incident that is new or has changed. Answers how to stop that. */
  onIncidentChange(changed: (incident: Incident) => void): () => void {
    return this.#reflectors.incidents.store.listen({ onSet: changed });
  }

  /** Calls `changed` after every change of the policies. Answers how to stop that. */
  onPolicyChange(changed: () => void): () => void {
    return this.#reflectors.policies.store.listen({ onSet: changed, onDelete: changed });
  }

  facts(now: Date): Facts {
    return {
      now,
      indicators: this.#extended,
      policy: this.#policy,
      quarantinesOf: (namespace) => [
        ...this.quarantines.inNamespace(namespace, now),
        ...this.#expected.inNamespace(namespace, now),
      ],
      hasBans: this.quarantines.hasBans || this.#expected.hasBans,
      banOf: (facet, value) =>
        this.quarantines.banOf(facet, value, now) ?? this.#expected.banOf(facet, value, now),
      namespaceLabels: (name) => this.#reflectors.namespaces.store.get({ name })?.metadata.labels,
      podNamed: (namespace, name) => this.pods.named(namespace, name),
    };
  }

  async close(): Promise<void> {
    await this.#policyInServer.close();
    await Promise.all(Object.values(this.#reflectors).map((reflector) => reflector.stop()));
  }

  /** A policy that got invalid, which only happens when admission could not be asked, stays as it was last. */
  #readPolicies(): void {
    const policies = [...this.#reflectors.policies.store.values()];
    this.#checked = policies.map((policy) => ({ policy, problems: policyProblems(policy.spec) }));
    const before = new Map(this.#inForce);
    this.#inForce.clear();
    for (const { policy, problems } of this.#checked) {
      const name = policy.metadata.name ?? '';
      const inForce = problems.length === 0 ? policy.spec : before.get(name);
      if (inForce) this.#inForce.set(name, inForce);
    }
    this.#policy = new Policy([...this.#inForce.values()].map((spec) => ({ spec })));
    this.#extended = withExtra(this.#indicators, this.#policy.indicators);
  }
}

/** Whoever may label objects in their namespace chooses how large they are. */
function withoutContents({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata };
}

/** A pod without what nobody here asks for: a large cluster has tens of thousands of them. */
function essentials(pod: KubeObject): KubeObject {
  const { apiVersion, kind, metadata } = pod;
  const { name, namespace, uid, resourceVersion, labels, ownerReferences } = metadata;
  const spec = (pod.spec ?? {}) as Record<string, unknown>;
  const status = (pod.status ?? {}) as Record<string, unknown>;
  return {
    apiVersion,
    kind,
    metadata: withoutUndefined({ name, namespace, uid, resourceVersion, labels, ownerReferences }),
    spec: {
      nodeName: spec.nodeName,
      serviceAccountName: spec.serviceAccountName,
      initContainers: spec.initContainers,
      containers: spec.containers,
      ephemeralContainers: spec.ephemeralContainers,
    },
    status: {
      phase: status.phase,
      podIP: status.podIP,
      podIPs: status.podIPs,
      hostIP: status.hostIP,
      hostIPs: status.hostIPs,
      containerStatuses: status.containerStatuses,
      initContainerStatuses: status.initContainerStatuses,
      ephemeralContainerStatuses: status.ephemeralContainerStatuses,
    },
  };
}

function withoutUndefined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
