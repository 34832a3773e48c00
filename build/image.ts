/**
 * `npm run image`: builds the images `kubesentry-webhook` and `kubesentry-agent` with docker or buildah and writes
 * them as docker-archive files into dist/image/.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../api/names.ts';
import { bundle } from './bundle.ts';
import { ensurePackages } from './debian-packages.mjs';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'dist', 'image');

/** What the Node binary links to, and the certificates that a webhook behind a sink's TLS needs. */
const ROOT_PACKAGES = ['libc6', 'libstdc++6', 'libgcc-s1', 'ca-certificates'];

const TARGETS = ['webhook', 'agent'] as const;

export const imageName = (target: string) => `kubesentry-${target}:${VERSION}`;
export const imageFile = (target: string) => join(folder, `${target}.tar`);

const run = (command: string, args: string[]) =>
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });

function works(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function makeRoot(): void {
  const archive = join(folder, 'root.tar');
  if (existsSync(archive)) return;
  run('mmdebstrap', [
    '--quiet',
    '--variant=extract',
    `--include=${ROOT_PACKAGES.join(',')}`,
    'bookworm',
    archive,
  ]);
}

function buildWithDocker(target: string): void {
  run('docker', ['build', '--target', target, '--tag', imageName(target), '.']);
  run('docker', ['save', '--output', imageFile(target), imageName(target)]);
}

function buildWithBuildah(target: string): void {
  const storage = [
    '--storage-driver',
    'vfs',
    '--root',
    join(folder, 'storage'),
    '--runroot',
    join(folder, 'run'),
  ];
  run('buildah', [
    ...storage,
    'bud',
    '--quiet',
    '--isolation',
    'chroot',
    '--target',
    target,
    '--tag',
    imageName(target),
    '.',
  ]);
  run('buildah', [
    ...storage,
    'push',
    '--quiet',
    imageName(target),
    `docker-archive:${imageFile(target)}:${imageName(target)}`,
  ]);
}

export async function buildImages(log: (line: string) => void): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await bundle();
  copyFileSync(process.execPath, join(folder, 'node'));
  const docker = works('docker', ['info']);
  await ensurePackages(docker ? ['mmdebstrap'] : ['mmdebstrap', 'buildah'], { log });
  makeRoot();
  for (const target of TARGETS) {
    rmSync(imageFile(target), { force: true }); // neither tool writes over an archive
    if (docker) buildWithDocker(target);
    else buildWithBuildah(target);
    log(
      `${imageName(target)}  ${(statSync(imageFile(target)).size / 2 ** 20).toFixed(0)} MiB  ${imageFile(target)}`,
    );
  }
}

if (import.meta.main) await buildImages((line) => process.stderr.write(`${line}\n`));
