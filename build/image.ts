/**
 * `npm run image`: builds the images `kubesentry-webhook` and `kubesentry-agent` with docker or buildah and writes
 * them as docker-archive files into dist/image/.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../api/names.ts';
import { BUNDLE, bundle } from './bundle.ts';
import { ensurePackages } from './debian-packages.mjs';
import { billOfMaterials, debianComponents, nodeComponent, npmComponents } from './sbom.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'dist', 'image');
const ROOT_ARCHIVE = join(folder, 'root.tar');
const ROOT_LIST = join(folder, 'root.list');

/** Where buildah keeps layers while it works; each build adds some hundred megabytes that nobody reads again. */
const STORAGE = ['storage', 'run'].map((name) => join(folder, name));

/** What the Node binary links to, and the certificates that a webhook behind a sink's TLS needs. */
const ROOT_PACKAGES = ['libc6', 'libstdc++6', 'libgcc-s1', 'ca-certificates'];

const TARGETS = ['webhook', 'agent'] as const;

/** The time that everything in the images has, so that the same sources are the same images, bit for bit. */
const EPOCH = process.env.SOURCE_DATE_EPOCH ?? '0';

export const imageName = (target: string) => `kubesentry-${target}:${VERSION}`;
export const imageFile = (target: string) => join(folder, `${target}.tar`);

const run = (command: string, args: string[]) =>
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });

function works(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** The root file system, and beside it the names of the packages that it is made of. */
function makeRoot(): void {
  if (existsSync(ROOT_ARCHIVE) && existsSync(ROOT_LIST)) return;
  rmSync(ROOT_ARCHIVE, { force: true });
  execFileSync(
    'mmdebstrap',
    [
      '--quiet',
      '--variant=extract',
      `--include=${ROOT_PACKAGES.join(',')}`,
      `--extract-hook=ls "$1/var/cache/apt/archives" > '${ROOT_LIST}'`,
      'bookworm',
      ROOT_ARCHIVE,
    ],
    { cwd: root, stdio: ['ignore', 2, 2], env: { ...process.env, SOURCE_DATE_EPOCH: EPOCH } },
  );
}

/** A bill of materials (CycloneDX) beside the archives and in the images. */
function writeBill(bundled: readonly string[]): void {
  const bill = billOfMaterials(VERSION, [
    nodeComponent(process.version.slice(1)),
    ...npmComponents(bundled, root),
    ...debianComponents(readFileSync(ROOT_LIST, 'utf8').split('\n')),
  ]);
  writeFileSync(join(folder, 'sbom.cdx.json'), bill);
  writeFileSync(join(BUNDLE, 'sbom.cdx.json'), bill);
}

/** What is copied into an image takes its time along. */
function setTimes(path: string): void {
  if (statSync(path).isDirectory()) for (const name of readdirSync(path)) setTimes(join(path, name));
  lutimesSync(path, Number(EPOCH), Number(EPOCH));
}

function revision(): string {
  const { status, stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : 'unknown';
}

const labels = () => [
  `--label=org.opencontainers.image.version=${VERSION}`,
  `--label=org.opencontainers.image.revision=${revision()}`,
];

function buildWithDocker(target: string): void {
  const time = `SOURCE_DATE_EPOCH=${EPOCH}`;
  run('docker', [
    'build',
    '--build-arg',
    time,
    ...labels(),
    '--target',
    target,
    '--tag',
    imageName(target),
    '.',
  ]);
  run('docker', ['save', '--output', imageFile(target), imageName(target)]);
}

function buildWithBuildah(target: string): void {
  const storage = [
    '--storage-driver',
    'vfs',
    '--root',
    STORAGE[0] as string,
    '--runroot',
    STORAGE[1] as string,
  ];
  run('buildah', [
    ...storage,
    'bud',
    '--quiet',
    '--isolation',
    'chroot',
    '--timestamp',
    EPOCH,
    ...labels(),
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

function emptyStorage(): void {
  for (const path of STORAGE) rmSync(path, { recursive: true, force: true });
}

export async function buildImages(log: (line: string) => void): Promise<void> {
  mkdirSync(folder, { recursive: true });
  emptyStorage(); // of a build that was ended before it could
  const bundled = await bundle();
  copyFileSync(process.execPath, join(folder, 'node'));
  const docker = works('docker', ['info']);
  await ensurePackages(docker ? ['mmdebstrap'] : ['mmdebstrap', 'buildah'], { log });
  makeRoot();
  writeBill(bundled);
  for (const path of [BUNDLE, join(folder, 'node')]) setTimes(path);
  for (const target of TARGETS) {
    rmSync(imageFile(target), { force: true }); // neither tool writes over an archive
    if (docker) buildWithDocker(target);
    else buildWithBuildah(target);
    log(
      `${imageName(target)}  ${(statSync(imageFile(target)).size / 2 ** 20).toFixed(0)} MiB  ${imageFile(target)}`,
    );
  }
  emptyStorage();
}

if (import.meta.main) await buildImages((line) => process.stderr.write(`${line}\n`));
