import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../api/names.ts';
import type { Architecture } from './private-apt.ts';

const root = join(import.meta.dirname, '..');

/** The time that everything in the images has, so that the same sources are the same images, bit for bit. */
export const EPOCH = process.env.SOURCE_DATE_EPOCH ?? '0';

export interface ImageRequest {
  /** Folder with what the Dockerfile adds. */
  context: string;
  /** Stage of the Dockerfile. */
  target: string;
  architecture: Architecture;
  /** Repository and tag. */
  name: string;
  /** Where the docker-archive is written. */
  file: string;
}

export interface Builder {
  build(request: ImageRequest): void;
  /** Writes all images that were built under `name` as one OCI archive. */
  index(name: string, file: string): void;
  /** Deletes what was only needed while building. */
  close(): void;
}

/** One image a name: newer versions of docker add a second one, with attestations, that not everybody can load. */
const env = { ...process.env, BUILDX_NO_DEFAULT_ATTESTATIONS: '1' };

const run = (command: string, args: readonly string[]) =>
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], env });

function revision(): string {
  const { status, stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : 'unknown';
}

/** What both builders understand alike. */
const shared = ({ context, target, architecture }: ImageRequest) => [
  `--label=org.opencontainers.image.version=${VERSION}`,
  `--label=org.opencontainers.image.revision=${revision()}`,
  `--platform=linux/${architecture}`,
  '--file=Dockerfile',
  `--target=${target}`,
  context,
];

/** Takes whichever of its builders is there. Only files and configuration are the same every time, not the archive. */
export class Docker implements Builder {
  build(request: ImageRequest): void {
    const own = [`--build-arg=SOURCE_DATE_EPOCH=${EPOCH}`, `--tag=${request.name}`];
    run('docker', ['build', ...own, ...shared(request)]);
    run('docker', ['save', '--output', request.file, request.name]);
  }

  index(): never {
    throw new Error(
      'docker puts several architectures under one name only in a registry; buildah does here.',
    );
  }

  close(): void {}
}

const PARTS = ['storage', 'run', 'id'] as const;

/** Needs no daemon. Its layers lie in `folder` while it works; each build adds some hundred megabytes. */
export class Buildah implements Builder {
  readonly #folder: string;
  /** Ids of the images in the storage, by the name that they get. */
  readonly #built = new Map<string, string[]>();

  constructor(folder: string) {
    this.#folder = folder;
    this.close(); // of a build that was ended before it could
  }

  build(request: ImageRequest): void {
    const { name, file } = request;
    const idFile = this.#path('id');
    const own = ['--quiet', '--isolation=chroot', `--timestamp=${EPOCH}`, `--iidfile=${idFile}`];
    this.#run('bud', ...own, ...shared(request));
    const id = readFileSync(idFile, 'utf8');
    this.#run('push', '--quiet', id, `docker-archive:${file}:${name}`);
    this.#built.set(name, [...(this.#built.get(name) ?? []), id]);
  }

  index(name: string, file: string): void {
    this.#run('manifest', 'create', name, ...(this.#built.get(name) ?? []));
    this.#run('manifest', 'push', '--quiet', '--all', name, `oci-archive:${file}:${name}`);
  }

  close(): void {
    for (const name of PARTS) rmSync(this.#path(name), { recursive: true, force: true });
  }

  #path(name: (typeof PARTS)[number]): string {
    return join(this.#folder, name);
  }

  #run(...args: string[]): void {
    const storage = [`--root=${this.#path('storage')}`, `--runroot=${this.#path('run')}`];
    run('buildah', ['--storage-driver=vfs', ...storage, ...args]);
  }
}
