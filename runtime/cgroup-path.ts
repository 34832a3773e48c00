/** What the path of a cgroup says about whose it is. */
export interface CgroupIdentity {
  /** Path of the container's cgroup, or of the pod's where the path goes no deeper. */
  path: string;
  podUid: string | null;
  containerId: string | null;
}

/** The folder of one pod as the kubelet's cgroupfs driver names it: below kubepods or a QoS class of it. */
const CGROUPFS_POD = /^pod([A-Za-z0-9][\w.-]{0,127})$/;

/** The same by the systemd driver, dashes of the uid escaped as underscores; any prefix, as in kind. */
const SYSTEMD_POD = /^(?:[\w.-]+-)?kubepods(?:-burstable|-besteffort)?-pod(\w{1,128})\.slice$/;

/** containerd with its own cgroupfs driver below a systemd kubelet: SLICE:cri-containerd:ID. */
const CONTAINERD_COLON =
  /^(?:[\w.-]+-)?kubepods(?:-burstable|-besteffort)?-pod(\w{1,128})\.slice:[\w.-]+:([\w.-]{1,128})$/;

/** A container's folder below its pod: ID, crio-ID, cri-containerd-ID.scope, docker-ID.scope. */
const IN_POD = /^(?:(?:crio|cri-containerd|docker)-)?([A-Za-z0-9][\w.-]{0,127}?)(?:\.scope)?$/;

/** CRI-O keeps its monitor beside the containers that it watches. */
const MONITOR = /^(?:crio|libpod)-conmon-/;

/** A container outside Kubernetes, by systemd: docker-ID.scope, libpod-ID.scope, nerdctl-ID.scope. */
const SCOPE = /^(?:docker|libpod|nerdctl|cri-containerd|crio|buildah)-([0-9a-f]{32,64})\.scope$/;

/** Or by cgroupfs: an id of 64 hex digits below a folder of the engine. */
const PLAIN = /^(?:libpod-)?([0-9a-f]{64})$/;

/** Units of systemd are services of the node, not containers. */
const UNIT = /\.(?:service|slice|scope|socket|mount|swap)$/;

/**
 * Reads a cgroup path of either hierarchy version. The outermost pod counts, since a cluster inside a pod
 * belongs to that pod; a container without a pod counts only where the path has no pod, since a node may be
 * a container itself. Undefined for the root and for units of systemd: processes of the node.
 *
 * Sources: kubelet pkg/kubelet/cm/cgroup_manager_linux.go and pod_container_manager_linux.go; containerd
 * internal/cri/server/podsandbox/helpers_linux.go; CRI-O internal/config/cgmgr.
 */
export function parseCgroupPath(path: string): CgroupIdentity | undefined {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  const upTo = (index: number) => `/${parts.slice(0, index + 1).join('/')}`;

  for (const [index, part] of parts.entries()) {
    const colon = CONTAINERD_COLON.exec(part);
    if (colon) return { path: upTo(index), podUid: systemdUid(colon[1]), containerId: colon[2] as string };
    const podUid = podOf(part, parts, index);
    if (podUid === undefined) continue;
    const child = parts[index + 1];
    const containerId = child === undefined || MONITOR.test(child) ? undefined : IN_POD.exec(child)?.[1];
    if (containerId === undefined) return { path: upTo(index), podUid, containerId: null };
    return { path: upTo(index + 1), podUid, containerId };
  }

  for (const [index, part] of parts.entries()) {
    const containerId = (SCOPE.exec(part) ?? PLAIN.exec(part))?.[1];
    if (containerId !== undefined) return { path: upTo(index), podUid: null, containerId };
  }

  const last = parts.at(-1);
  if (last === undefined || parts.some((part) => UNIT.test(part))) return undefined;
  return { path: upTo(parts.length - 1), podUid: null, containerId: null };
}

function podOf(part: string, parts: readonly string[], index: number): string | undefined {
  const systemd = SYSTEMD_POD.exec(part);
  if (systemd) return systemdUid(systemd[1]);
  const parent = parts[index - 1];
  const kubepods = parent === 'burstable' || parent === 'besteffort' ? parts[index - 2] : parent;
  return kubepods === 'kubepods' ? CGROUPFS_POD.exec(part)?.[1] : undefined;
}

function systemdUid(escaped: string | undefined): string {
  return (escaped as string).replaceAll('_', '-');
}

/**
 * The path to go by out of the lines of /proc/<pid>/cgroup (cgroups(7)): the v2 one, unless it is the root and a
 * v1 hierarchy names a container, as on nodes that keep their controllers in v1.
 */
export function cgroupPathOf(procCgroup: string): string {
  let unified = '/';
  let legacy: string | undefined;
  for (const line of procCgroup.split('\n')) {
    const [hierarchy, controllers, ...rest] = line.split(':');
    const path = rest.join(':');
    if (!path.startsWith('/')) continue;
    if (hierarchy === '0' && controllers === '') unified = path;
    else if (legacy === undefined && namesContainer(path)) legacy = path;
  }
  return unified === '/' && legacy !== undefined ? legacy : unified;
}

/** Whether `path` is that of a pod or a container, and not any folder that somebody made. */
export function namesContainer(path: string): boolean {
  const identity = parseCgroupPath(path);
  return identity !== undefined && (identity.podUid !== null || identity.containerId !== null);
}
