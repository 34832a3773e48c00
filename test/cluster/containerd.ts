import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDaemon } from './daemon.ts';
import { packImage } from './image.ts';
import { until } from './until.ts';

const PAUSE_IMAGE = 'kubesentry.test/pause:1';

/** An image with a shell and the usual tools, for pods of tests. */
export const BUSYBOX_IMAGE = 'kubesentry.test/busybox:1';

/** Words that run containerd's client against the containerd of one cluster. */
export const ctr = (folder: string): [string, ...string[]] => [
  'ctr',
  '--address',
  join(folder, 'containerd.sock'),
  '--namespace',
  'k8s.io',
];

export interface ContainerdOptions {
  folder: string;
  enter: string[];
  podCidr: string;
}

/** Starts a containerd of the cluster's own, with the images that every pod and most tests need. */
export async function startContainerd({ folder, enter, podCidr }: ContainerdOptions): Promise<void> {
  const path = (name: string) => join(folder, name);
  mkdirSync(path('cni'), { recursive: true });
  writeFileSync(
    path('cni/10-kubesentry.conflist'),
    JSON.stringify({
      cniVersion: '0.4.0',
      name: 'kubesentry',
      plugins: [
        {
          type: 'bridge',
          bridge: 'pods0',
          isGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: {
            type: 'host-local',
            dataDir: path('ipam'),
            ranges: [[{ subnet: podCidr }]],
            routes: [{ dst: '0.0.0.0/0' }],
          },
        },
        { type: 'portmap', capabilities: { portMappings: true } },
      ],
    }),
  );
  writeFileSync(
    path('containerd.toml'),
    `version = 2
root = "${path('containerd/root')}"
state = "${path('containerd/state')}"
oom_score = 0
[grpc]
  address = "${path('containerd.sock')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # Lowering a score needs SYS_RESOURCE, which not every test machine grants; runc dies without this.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${path('cni')}"
`,
  );
  const containerd = startDaemon(folder, 'containerd', [
    ...enter,
    'containerd',
    '--config',
    path('containerd.toml'),
  ]);
  const [command, ...args] = ctr(folder);
  await until('containerd answers', containerd, folder, async () => {
    return spawnSync(command, [...args, 'version'], { stdio: 'ignore' }).status === 0;
  });
  importBaseImages(folder);
}

function importBaseImages(folder: string): void {
  const pause = join(folder, 'pause');
  execFileSync('gcc', ['-static', '-Os', '-o', pause, join(import.meta.dirname, 'pause.c')]);
  const image = (name: string) => join(folder, `${name}.tar`);
  const scratch = join(folder, 'image-scratch');
  packImage(image('pause'), scratch, {
    name: PAUSE_IMAGE,
    files: { 'bin/pause': pause },
    command: ['/bin/pause'],
  });
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  packImage(image('busybox'), scratch, {
    name: BUSYBOX_IMAGE,
    files: { 'bin/busybox': '/bin/busybox' },
    links: Object.fromEntries(
      applets.filter((name) => name !== 'busybox').map((name) => [`bin/${name}`, 'busybox']),
    ),
  });
  for (const name of ['pause', 'busybox']) importImage(folder, image(name));
}

/** Loads a docker-archive or OCI archive into the node. */
export function importImage(folder: string, file: string): void {
  const [command, ...args] = ctr(folder);
  execFileSync(command, [...args, 'images', 'import', file], { stdio: ['ignore', 'ignore', 'pipe'] });
}
