import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export interface ImageOptions {
  /** Repository and tag. */
  name: string;
  /** Programs and data: host path by path in the image. */
  files: Record<string, string>;
  /** Symbolic links: target by path in the image. */
  links?: Record<string, string>;
  command?: string[];
}

/**
 * Packs an image of one layer as a docker-archive (the format of `docker save`, moby image/spec) into `file`.
 * Folder `scratch` is used for building and removed.
 */
export function packImage(
  file: string,
  scratch: string,
  { name, files, links = {}, command }: ImageOptions,
): void {
  rmSync(scratch, { recursive: true, force: true });
  const root = join(scratch, 'root');
  const at = (path: string) => {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    return target;
  };
  mkdirSync(join(root, 'tmp'), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  for (const [path, from] of Object.entries(files)) copyFileSync(from, at(path));
  for (const [path, target] of Object.entries(links)) symlinkSync(target, at(path));

  const layer = join(scratch, 'layer.tar');
  execFileSync('tar', [
    '--create',
    '--file',
    layer,
    '--owner=0',
    '--group=0',
    '--sort=name',
    '--mtime=@0',
    '-C',
    root,
    '.',
  ]);
  const digest = createHash('sha256').update(readFileSync(layer)).digest('hex');
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/bin'], ...(command && { Entrypoint: command }) },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  });
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
  writeFileSync(join(scratch, configName), config);
  writeFileSync(
    join(scratch, 'manifest.json'),
    JSON.stringify([{ Config: configName, RepoTags: [name], Layers: ['layer.tar'] }]),
  );
  execFileSync('tar', ['--create', '--file', file, '-C', scratch, 'manifest.json', configName, 'layer.tar']);
  rmSync(scratch, { recursive: true });
}
