/**
 * `node test/build/by-docker.ts`: builds the images with docker instead of buildah and runs them, with a daemon of its
 * own: Debian's docker.io, unpacked and not installed, in a folder, without a network. Needs root. Exit status 1 when
 * something is not as it should be.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VERSION } from '../../api/names.ts';
import { imageName, TARGETS } from '../../build/image.ts';
import { CACHE, privateApt, unpackPackages } from '../../build/private-apt.ts';
import { cgroupRootOf, removeCgroups } from '../cluster/cgroups.ts';
import { eventually } from '../cluster/eventually.ts';
import { unmountBelow } from '../cluster/teardown.ts';

const NAME = 'docker-test';
const ROOT = join(import.meta.dirname, '..', '..');

function unpacked(): string {
  const folder = join(CACHE, 'docker');
  if (!existsSync(join(folder, 'root'))) {
    mkdirSync(folder, { recursive: true });
    const apt = privateApt(folder, 'bookworm');
    apt('apt-get', 'update');
    unpackPackages(folder, apt, ['docker.io', 'containerd', 'runc']);
  }
  return join(folder, 'root');
}

const root = unpacked();
const state = mkdtempSync(join(tmpdir(), 'kubesentry-docker-'));
const socket = `unix://${join(state, 'docker.sock')}`;
const env = {
  ...process.env,
  PATH: `${join(root, 'usr/sbin')}:${join(root, 'usr/bin')}:${process.env.PATH}`,
  DOCKER_HOST: socket,
  DOCKER_CONFIG: state,
};
const docker = (...args: string[]) => execFileSync('docker', args, { env, encoding: 'utf8' });

/** Where every daemon looks for plugins. */
const PLUGINS = '/run/docker';
const hadPlugins = existsSync(PLUGINS);
const daemon = spawn(
  'dockerd',
  [
    ...[`--host=${socket}`, `--data-root=${join(state, 'data')}`, `--exec-root=${join(state, 'exec')}`],
    ...[`--pidfile=${join(state, 'pid')}`, `--cgroup-parent=/${cgroupRootOf(NAME)}`, '--storage-driver=vfs'],
    ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--log-level=error'],
  ],
  { env, stdio: ['ignore', 'ignore', 'inherit'] },
);
try {
  await eventually('docker', () => succeeds('docker', 'info'));
  if (!(await succeeds(process.execPath, join(ROOT, 'build', 'image.ts'))))
    throw new Error('The images were not built.');
  for (const target of TARGETS) {
    const [image] = JSON.parse(docker('image', 'inspect', imageName(target))) as [
      { Config: { User: string; Cmd: string[]; Labels: Record<string, string> } },
    ];
    const { User, Cmd, Labels } = image.Config;
    const alone = ['--rm', '--network=none', '--read-only', '--cap-drop=ALL'];
    const said = docker('run', ...alone, imageName(target), '--version').trim();
    const version = Labels['org.opencontainers.image.version'];
    console.log(`${imageName(target)}: user ${User}, command ${Cmd}, labelled ${version}, says ${said}`);
    if (said !== VERSION || version !== VERSION || `${Cmd}` !== target) process.exitCode = 1;
  }
} finally {
  const ended = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  await ended;
  await removeCgroups(NAME);
  unmountBelow(state);
  rmSync(state, { recursive: true, force: true });
  if (!hadPlugins) rmSync(PLUGINS, { recursive: true, force: true });
}

async function succeeds(command: string, ...args: string[]): Promise<boolean> {
  const child = spawn(command, args, { env, stdio: args[0] === 'info' ? 'ignore' : ['ignore', 2, 2] });
  const [code] = await once(child, 'exit');
  return code === 0;
}
