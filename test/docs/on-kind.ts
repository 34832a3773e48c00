/**
 * Follows docs/quick-start.md on kind, command by command. Needs kind, kubectl and the images in dist/image, and is
 * meant for the public CI, which has them: .github/workflows/ci.yml.
 */
import { spawnSync } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { blocksOf, placeOf, ROOT } from './blocks.ts';

const PATH = `${join(homedir(), '.local/bin')}:${process.env.PATH}`;

for (const block of blocksOf('docs/quick-start.md')) {
  // The images come from another job.
  if (block.language !== 'sh' || block.title === 'own-test') continue;
  console.log(`\n## ${placeOf(block)}\n${block.text}\n`);
  const { status, stdout, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', block.text], {
    cwd: ROOT,
    env: { ...process.env, PATH },
    encoding: 'utf8',
  });
  console.log(stdout + stderr);
  const refused = status !== 0 && /denied the request|is in quarantine/.test(stderr);
  if (block.title === 'is-refused' ? refused : status === 0) continue;
  console.error(`${placeOf(block)}: exit status ${status}`);
  process.exit(1);
}
