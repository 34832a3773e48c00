/**
 * `node build/reproduce.ts`: builds the images twice, here and from a copy of the sources in another folder with its
 * own compiled parts, and compares their digests. Exit status 1 when they differ.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const elsewhere = mkdtempSync(join(tmpdir(), 'kubesentry-again-'));

/** Digest of each image, which covers its layers and its configuration. */
function build(folder: string): string[] {
  for (const script of ['build/prepare.mjs', 'build/image.ts'])
    execFileSync(process.execPath, [join(folder, script)], { cwd: folder, stdio: ['ignore', 2, 2] });
  return ['webhook', 'agent'].map((target) => {
    const archive = join(folder, 'dist', 'image', `${target}.tar`);
    const manifest = execFileSync('tar', ['-xOf', archive, 'manifest.json'], { encoding: 'utf8' });
    const [{ Config }] = JSON.parse(manifest) as [{ Config: string }];
    return `${target} ${Config.replace(/\.json$/, '')}`;
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
