/**
 * `node build/reproduce.ts`: builds the images for every architecture twice, here and from a copy of the sources in another folder with its
 * own compiled parts, and compares their digests. Exit status 1 when they differ.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ARCHITECTURES } from './binaries.ts';
import { imageFile, indexFile, TARGETS } from './image.ts';

const root = join(import.meta.dirname, '..');
const elsewhere = mkdtempSync(join(tmpdir(), 'kubesentry-again-'));

/** Digest of each image, which covers its layers and its configuration, and of the index over them. */
function build(folder: string): string[] {
  const run = (script: string, ...args: string[]) =>
    execFileSync(process.execPath, [join(folder, script), ...args], {
      cwd: folder,
      stdio: ['ignore', 2, 2],
    });
  run('build/prepare.mjs');
  run('build/image.ts', ...ARCHITECTURES.flatMap((architecture) => ['--arch', architecture]));
  const read = (archive: string, path: string) =>
    JSON.parse(execFileSync('tar', ['-xOf', archive.replace(root, folder), path], { encoding: 'utf8' }));
  return TARGETS.flatMap((target) => {
    const images = ARCHITECTURES.map((architecture) => {
      const [{ Config }] = read(imageFile(target, architecture), 'manifest.json') as [{ Config: string }];
      return `${target} ${architecture} ${Config.replace(/\.json$/, '')}`;
    });
    const { manifests } = read(indexFile(target), 'index.json') as { manifests: [{ digest: string }] };
    return [...images, `${target} index ${manifests[0].digest}`];
  });
}

try {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' });
  for (const file of files.split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(elsewhere, file)), { recursive: true });
    cpSync(join(root, file), join(elsewhere, file));
  }
  // The images name the commit that they are made of.
  cpSync(join(root, '.git'), join(elsewhere, '.git'), { recursive: true });
  execFileSync('cp', ['-a', '--reflink=auto', join(root, 'node_modules'), elsewhere]);
  const [here, there] = [build(root), build(elsewhere)];
  console.log(`${root}\n  ${here.join('\n  ')}\n${elsewhere}\n  ${there.join('\n  ')}`);
  const isSame = here.join() === there.join();
  console.log(isSame ? 'The same, bit for bit.' : 'They differ.');
  process.exitCode = isSame ? 0 : 1;
} finally {
  rmSync(elsewhere, { recursive: true, force: true });
}
