import type { WorkloadRef } from '../api/detection.ts';
import type { KubeObject } from '../api/object.ts';

/** What the API server knows about a pod of this node, as far as a detection carries it. */
export interface PodInfo {
  uid: string;
  namespace: string;
  name: string;
  workload: WorkloadRef;
  /** Of every container that the kubelet has reported, by container id. */
  containers: ReadonlyMap<string, ContainerInfo>;
  /** The one container of a pod that has only one: what runs there before the kubelet reports its id. */
  only: ContainerInfo | undefined;
}

interface ContainerInfo {
  name: string;
  image: string;
}

interface ContainerStatus {
  name: string;
  image?: string;
  containerID?: string;
}

interface PodFields {
  spec?: Partial<Record<'containers' | 'initContainers', { name: string; image?: string }[]>>;
  status?: Partial<Record<(typeof STATUSES)[number], ContainerStatus[]>>;
}

const STATUSES = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const;

/** Where the kubelet notes the uid under which a static pod runs: its mirror in the API has another one. */
const STATIC_UID = 'kubernetes.io/config.hash';

/** The pods of this node by uid. A reflector fills it; without a cluster it stays empty. */
export class Pods {
  readonly #byUid = new Map<string, PodInfo>();

  /** Both answer the uids under which the pod may run. */
  set(pod: KubeObject): string[] {
    const info = podInfo(pod);
    const uids = uidsOf(pod);
    for (const uid of uids) this.#byUid.set(uid, info);
    return uids;
  }

  delete(pod: KubeObject): string[] {
    const uids = uidsOf(pod);
    for (const uid of uids) this.#byUid.delete(uid);
    return uids;
  }

  get(uid: string): PodInfo | undefined {
    return this.#byUid.get(uid);
  }
}

function uidsOf({ metadata }: KubeObject): string[] {
  return [metadata.uid, metadata.annotations?.[STATIC_UID]].filter((uid) => uid !== undefined);
}

function podInfo(pod: KubeObject): PodInfo {
  const { metadata } = pod;
  const { spec, status } = pod as PodFields;
  const images = new Map(spec?.containers?.map(({ name, image }) => [name, image ?? '']));
  const containers = new Map<string, ContainerInfo>();
  for (const list of STATUSES) {
    for (const { name, image, containerID } of status?.[list] ?? []) {
      // containerd://ID; empty until the container was made.
      const id = containerID?.slice(containerID.indexOf('://') + 3);
      if (id) containers.set(id, { name, image: images.get(name) || image || '' });
    }
  }
  const [first, ...others] = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  return {
    uid: metadata.uid ?? '',
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    workload: workloadOf(pod),
    containers,
    only: first && others.length === 0 ? { name: first.name, image: first.image ?? '' } : undefined,
  };
}

/** The owner that a pod itself can name: a ReplicaSet made by a Deployment carries the template's hash. */
function workloadOf({ metadata }: KubeObject): WorkloadRef {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  if (!owner || owner.kind === 'Node') return { kind: 'Pod', name: metadata.name ?? '' };
  const suffix = `-${metadata.labels?.['pod-template-hash']}`;
  if (owner.kind === 'ReplicaSet' && owner.name.endsWith(suffix)) {
    return { kind: 'Deployment', name: owner.name.slice(0, -suffix.length) };
  }
  return { kind: owner.kind, name: owner.name };
}
