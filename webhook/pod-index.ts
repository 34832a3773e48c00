import { LRUCache } from 'lru-cache';
import type { WorkloadRef } from '../api/detection.ts';
import type { KubeObject } from '../api/object.ts';
import { imageFacet, templateFacet } from '../detection/fingerprint.ts';
import { isRecord, listOf, stringsOf, textOf } from '../detection/shape.ts';
import { controllerOf, workloadOfPod } from './top-owner.ts';

/** A container of a pod and by what it would be known again. */
export interface KnownContainer {
  name: string;
  /** As the node knows it; undefined until it was started. */
  id: string | undefined;
  image: string;
  /** The template facet; undefined when the image alone decides what runs, which says nothing about an attack. */
  template: string | undefined;
  /** The image facet; undefined while no digest is known. */
  imageDigest: string | undefined;
}

/** What stays known of a pod, also after it is gone. */
export interface KnownPod {
  uid: string;
  namespace: string;
  name: string;
  /** Undefined until it is scheduled. */
  node: string | undefined;
  workload: WorkloadRef;
  /** What made it for the workload, such as a ReplicaSet; undefined where nothing is between them. */
  maker: WorkloadRef | undefined;
  serviceAccount: string;
  /** Its own, then those of its node; empty until it has one. */
  addresses: readonly string[];
  /** Who created it, when this replica saw that. */
  creator: string | undefined;
  containers: readonly KnownContainer[];
  /** All of its containers have ended for good. */
  hasEnded: boolean;
  /** True between the watch showing it and its deletion: what was admitted here may be refused by others. */
  exists: boolean;
}

const PODS = 50_000;

/** Pods that were admitted and that no watch has shown yet: some seconds of the busiest cluster. */
const ADMITTED = 4_096;

/** Pods by uid and by name, the ones gone longest forgotten first. Fed by the watch and by admission. */
export class PodIndex {
  readonly #pods: LRUCache<string, KnownPod>;
  readonly #admitted: LRUCache<string, KnownPod>;
  readonly #uids = new Map<string, string>();
  /** By namespace, those that exist. */
  readonly #namespaces = new Map<string, Set<KnownPod>>();
  /** By trait, how many containers of which workloads carry it: nobody has time to ask ten thousand pods. */
  readonly #users = new Map<string, Map<string, number>>();

  constructor(max: number = PODS) {
    this.#pods = new LRUCache({
      max,
      dispose: (pod) => {
        this.#count(pod, -1);
        this.#forgetName(pod);
      },
      noDisposeOnSet: true,
    });
    this.#admitted = new LRUCache({
      max: ADMITTED,
      dispose: (pod, _, reason) => {
        if (reason === 'evict') this.#forgetName(pod);
      },
      noDisposeOnSet: true,
    });
  }

  /** What the watch shows. */
  set(pod: KubeObject): void {
    const known = describe(pod, undefined);
    if (!known) return;
    const before = this.#pods.get(known.uid);
    const kept = before ?? this.#admitted.get(known.uid);
    this.#admitted.delete(known.uid);
    this.#replace(before, {
      ...known,
      creator: kept?.creator,
      node: known.node ?? kept?.node,
      addresses: known.addresses.length > 0 ? known.addresses : (kept?.addresses ?? []),
      exists: true,
    });
    this.#uids.set(`${known.namespace}/${known.name}`, known.uid);
  }

  /** What was let in here: others may refuse it yet, and the watch may have been faster. */
  admit(pod: KubeObject, creator: string): void {
    const known = describe(pod, creator);
    if (!known) return;
    const before = this.#pods.get(known.uid);
    if (before) this.#replace(before, { ...before, creator });
    else this.#admitted.set(known.uid, { ...known, exists: false });
    this.#uids.set(`${known.namespace}/${known.name}`, known.uid);
  }

  /** It stays known by its uid: what it did may be reported later. */
  gone(pod: KubeObject): void {
    const known = this.#pods.get(pod.metadata.uid ?? '');
    if (known) this.#replace(known, { ...known, exists: false });
  }

  byUid(uid: string): KnownPod | undefined {
    return this.#pods.get(uid) ?? this.#admitted.get(uid);
  }

  named(namespace: string, name: string): KnownPod | undefined {
    return this.byUid(this.#uids.get(`${namespace}/${name}`) ?? '');
  }

  /** Whether pods of another workload have a container with this trait: a template or an image. */
  isShared(facet: 'template' | 'image', value: string, namespace: string, workload: WorkloadRef): boolean {
    const users = this.#users.get(`${facet}:${value}`);
    if (!users) return false;
    return users.size > 1 || !users.has(userKey(namespace, workload));
  }

  /** Those that exist, in no order. */
  inNamespace(namespace: string): Iterable<KnownPod> {
    return this.#namespaces.get(namespace) ?? [];
  }

  /** In no order. Meant for rare questions, such as whether anybody else uses an image. */
  *values(): Iterable<KnownPod> {
    yield* this.#pods.values();
    yield* this.#admitted.values();
  }

  #replace(before: KnownPod | undefined, pod: KnownPod): void {
    if (before) this.#count(before, -1);
    this.#count(pod, 1);
    this.#pods.set(pod.uid, pod);
  }

  #forgetName({ namespace, name, uid }: KnownPod): void {
    if (this.#uids.get(`${namespace}/${name}`) === uid) this.#uids.delete(`${namespace}/${name}`);
  }

  #place(pod: KnownPod, change: 1 | -1): void {
    const pods = this.#namespaces.get(pod.namespace) ?? new Set();
    if (change > 0) pods.add(pod);
    else pods.delete(pod);
    if (pods.size > 0) this.#namespaces.set(pod.namespace, pods);
    else this.#namespaces.delete(pod.namespace);
  }

  #count(pod: KnownPod, change: 1 | -1): void {
    const { exists, namespace, workload, containers } = pod;
    if (!exists) return;
    this.#place(pod, change);
    const key = userKey(namespace, workload);
    for (const trait of containers.flatMap(traitsOf)) {
      const users = this.#users.get(trait) ?? new Map<string, number>();
      const left = (users.get(key) ?? 0) + change;
      if (left > 0) users.set(key, left);
      else users.delete(key);
      if (users.size > 0) this.#users.set(trait, users);
      else this.#users.delete(trait);
    }
  }
}

function traitsOf({ template, imageDigest }: KnownContainer): string[] {
  return [
    ...(template === undefined ? [] : [`template:${template}`]),
    ...(imageDigest === undefined ? [] : [`image:${imageDigest}`]),
  ];
}

function userKey(namespace: string, { kind, name }: WorkloadRef): string {
  return `${namespace}/${kind}/${name}`;
}

/** The API server fills in `default` where a pod names none. */
export function serviceAccountOf({ spec }: KubeObject): string {
  return (spec as { serviceAccountName?: string } | undefined)?.serviceAccountName ?? 'default';
}

function describe(pod: KubeObject, creator: string | undefined): Omit<KnownPod, 'exists'> | undefined {
  const { uid, name, namespace } = pod.metadata ?? {};
  if (typeof uid !== 'string' || typeof name !== 'string' || name === '' || typeof namespace !== 'string') {
    return undefined;
  }
  const spec = (pod.spec ?? {}) as { nodeName?: string };
  const workload = workloadOfPod(pod);
  return {
    uid,
    name,
    namespace,
    node: spec.nodeName,
    workload,
    maker: makerOf(pod, workload),
    serviceAccount: serviceAccountOf(pod),
    addresses: addressesOf(pod),
    creator,
    containers: containersOf(pod),
    hasEnded: ['Succeeded', 'Failed'].includes(
      String((pod.status as { phase?: unknown } | undefined)?.phase),
    ),
  };
}

function makerOf({ metadata }: KubeObject, { kind, name }: WorkloadRef): WorkloadRef | undefined {
  const owner = controllerOf(metadata);
  // What topOwner does not take for an owner is the pod itself.
  if (!owner || kind === 'Pod' || (owner.kind === kind && owner.name === name)) return undefined;
  return { kind: owner.kind, name: owner.name };
}

/** Only with one of its own: the node's alone would say that the pod speaks from there. */
function addressesOf({ status }: KubeObject): string[] {
  const { podIPs, podIP, hostIPs, hostIP } = (status ?? {}) as Partial<
    Record<'podIPs' | 'hostIPs', { ip?: string }[]> & Record<'podIP' | 'hostIP', string>
  >;
  const own = [podIP, ...(podIPs ?? []).map(({ ip }) => ip)].filter((ip) => ip !== undefined);
  const host = [hostIP, ...(hostIPs ?? []).map(({ ip }) => ip)].filter((ip) => ip !== undefined);
  return own.length === 0 ? [] : [...new Set([...own, ...host])];
}

interface ContainerStatus {
  name?: string;
  /** `registry/path@sha256:...` once the kubelet has pulled it. */
  imageID?: string;
  /** `containerd://...` once it was started. */
  containerID?: string;
}

type StatusLists = Partial<
  Record<'containerStatuses' | 'initContainerStatuses' | 'ephemeralContainerStatuses', ContainerStatus[]>
>;

function containersOf(pod: KubeObject): KnownContainer[] {
  const status = (pod.status ?? {}) as StatusLists;
  const started = new Map(
    [status.containerStatuses, status.initContainerStatuses, status.ephemeralContainerStatuses]
      .flatMap((list) => list ?? [])
      .map((each) => [each.name, each]),
  );
  return codeOf(pod.spec).map(({ name, ...code }) => {
    const { imageID, containerID } = started.get(name) ?? {};
    return new SeenContainer(
      name,
      containerID?.replace(/^[^:]*:\/\//, ''),
      code,
      imageFacet(code.image) ?? imageFacet(imageID ?? ''),
    );
  });
}

/** What its containers run, whatever shape it has: admission asks before the API server has checked it. */
function codeOf(spec: unknown): { name: string; image: string; command: string[]; args: string[] }[] {
  const { initContainers, containers, ephemeralContainers } = isRecord(spec) ? spec : {};
  return [...listOf(initContainers), ...listOf(containers), ...listOf(ephemeralContainers)]
    .filter(isRecord)
    .map(({ name, image, command, args }) => ({
      name: textOf(name),
      image: textOf(image),
      command: stringsOf(command, '', []),
      args: stringsOf(args, '', []),
    }));
}

/** Its template is worked out when it is asked for: of most pods that are admitted it never is. */
class SeenContainer implements KnownContainer {
  readonly name: string;
  readonly id: string | undefined;
  readonly imageDigest: string | undefined;
  readonly #code: Parameters<typeof templateFacet>[0];
  #template: string | undefined;

  constructor(
    name: string,
    id: string | undefined,
    code: Parameters<typeof templateFacet>[0],
    imageDigest: string | undefined,
  ) {
    this.name = name;
    this.id = id;
    this.imageDigest = imageDigest;
    this.#code = code;
  }

  get image(): string {
    return this.#code.image;
  }

  get template(): string | undefined {
    if (this.#code.command.length + this.#code.args.length === 0) return undefined;
    this.#template ??= templateFacet(this.#code);
    return this.#template;
  }
}
