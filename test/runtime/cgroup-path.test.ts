import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cgroupPathOf, parseCgroupPath } from '../../runtime/cgroup-path.ts';

const uid = '0f4fd2c2-7f1a-4a0b-9a3e-0c9b0f7c1d2e';
const escaped = uid.replaceAll('-', '_');
const id = `${'a'.repeat(63)}1`;

describe('parseCgroupPath', () => {
  const pods: [shape: string, path: string][] = [
    [
      'systemd, containerd',
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${escaped}.slice/cri-containerd-${id}.scope`,
    ],
    [
      'systemd, CRI-O',
      `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${escaped}.slice/crio-${id}.scope`,
    ],
    ['systemd, docker, guaranteed', `/kubepods.slice/kubepods-pod${escaped}.slice/docker-${id}.scope`],
    [
      'systemd, a cgroup of the container below',
      `/kubepods.slice/kubepods-pod${escaped}.slice/crio-${id}.scope/init.scope`,
    ],
    [
      'systemd in kind',
      `/docker/${'b'.repeat(64)}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${escaped}.slice/cri-containerd-${id}.scope`,
    ],
    ['cgroupfs, burstable', `/kubepods/burstable/pod${uid}/${id}`],
    ['cgroupfs, guaranteed', `/kubepods/pod${uid}/${id}`],
    ['cgroupfs, CRI-O', `/kubepods/besteffort/pod${uid}/crio-${id}`],
    ['cgroupfs below a prefix', `/kubesentry-x/kubepods/besteffort/pod${uid}/${id}/nested`],
    [
      'containerd by cgroupfs below a systemd kubelet',
      `/system.slice/containerd.service/kubepods-burstable-pod${escaped}.slice:cri-containerd:${id}`,
    ],
    ['seen from another cgroup namespace', `/../../kubepods/burstable/pod${uid}/${id}`],
  ];
  it.each(pods)('reads pod and container: %s', (_, path) => {
    expect(parseCgroupPath(path)).toMatchObject({ podUid: uid, containerId: id });
  });

  it('gives every path below a container the path of the container', () => {
    const path = `/kubepods/burstable/pod${uid}/${id}`;
    expect(parseCgroupPath(`${path}/a/b`)?.path).toBe(path);
  });

  it('takes the outermost pod where a cluster runs in a pod', () => {
    const inner = `/kubepods/burstable/pod11111111-2222-3333-4444-555555555555/${'c'.repeat(64)}`;
    expect(parseCgroupPath(`/kubepods/burstable/pod${uid}/${id}${inner}`)).toMatchObject({
      podUid: uid,
      containerId: id,
    });
  });

  it('reads static pods, whose uid is a hash of their file', () => {
    const hash = '8f14e45fceea167a5a36dedd4bea2543';
    expect(parseCgroupPath(`/kubepods/burstable/pod${hash}/${id}`)?.podUid).toBe(hash);
    expect(
      parseCgroupPath(
        `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${hash}.slice/crio-${id}.scope`,
      )?.podUid,
    ).toBe(hash);
  });

  it('knows the folder of a pod, and the monitor in it, as the pod without a container', () => {
    const pod = `/kubepods/burstable/pod${uid}`;
    expect(parseCgroupPath(pod)).toEqual({ path: pod, podUid: uid, containerId: null });
    const slice = `/kubepods.slice/kubepods-pod${escaped}.slice`;
    expect(parseCgroupPath(`${slice}/crio-conmon-${id}.scope`)).toEqual({
      path: slice,
      podUid: uid,
      containerId: null,
    });
  });

  it.each([
    `/docker/${id}`,
    `/system.slice/docker-${id}.scope`,
    `/machine.slice/libpod-${id}.scope/container`,
    `/default/${id}`,
  ])('reads containers outside Kubernetes: %s', (path) => {
    expect(parseCgroupPath(path)).toMatchObject({ podUid: null, containerId: id });
  });

  it.each(['/', '', '/init.scope', '/system.slice/ssh.service', '/user.slice/user-0.slice/session-1.scope'])(
    'leaves the node its own processes: %s',
    (path) => {
      expect(parseCgroupPath(path)).toBeUndefined();
    },
  );

  it('takes a plain cgroup for what it is', () => {
    expect(parseCgroupPath('/batch/job-7')).toEqual({
      path: '/batch/job-7',
      podUid: null,
      containerId: null,
    });
  });

  it('never throws, and names a cgroup that contains the process', () => {
    const part = fc.oneof(
      fc.constantFrom(
        'kubepods',
        'burstable',
        `pod${uid}`,
        id,
        '..',
        'kubepods.slice',
        `docker-${id}.scope`,
        'x',
      ),
      fc.string({ maxLength: 12 }),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const path = `/${parts.join('/')}`;
        const identity = parseCgroupPath(path);
        const clean = `/${path
          .split('/')
          .filter((one) => one !== '' && one !== '..')
          .join('/')}/`;
        if (identity) expect(clean.startsWith(`${identity.path}/`)).toBe(true);
      }),
    );
  });

  it('reads back every pod that the kubelet can name', () => {
    const hex = (length: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
    const driver = fc.constantFrom('cgroupfs', 'systemd');
    const qos = fc.constantFrom('', 'burstable', 'besteffort');
    fc.assert(
      fc.property(
        fc.uuid(),
        hex(64),
        driver,
        qos,
        fc.constantFrom('', '/a', '/a.slice/b'),
        (pod, container, by, quality, prefix) => {
          const path =
            by === 'cgroupfs'
              ? `${prefix}/kubepods${quality && `/${quality}`}/pod${pod}/${container}`
              : `${prefix}/kubepods.slice${quality && `/kubepods-${quality}.slice`}/kubepods${quality && `-${quality}`}-pod${pod.replaceAll('-', '_')}.slice/cri-containerd-${container}.scope`;
          expect(parseCgroupPath(path)).toEqual({ path, podUid: pod, containerId: container });
        },
      ),
    );
  });
});

describe('cgroupPathOf', () => {
  it('prefers v2', () => {
    expect(cgroupPathOf(`4:memory:/docker/${id}\n0::/kubepods/pod${uid}/${id}\n`)).toBe(
      `/kubepods/pod${uid}/${id}`,
    );
  });

  it('takes the v1 hierarchy that names a container where v2 is at the root', () => {
    expect(cgroupPathOf(`9:name=systemd:/\n4:memory:/kubepods/pod${uid}/${id}\n0::/\n`)).toBe(
      `/kubepods/pod${uid}/${id}`,
    );
  });

  it('does not take any v1 folder for a container', () => {
    expect(cgroupPathOf('4:memory:/session\n0::/\n')).toBe('/');
  });
});
