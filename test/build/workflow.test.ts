import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findActionlint } from './actionlint.ts';

const WORKFLOW = join(import.meta.dirname, '..', '..', '.github', 'workflows', 'ci.yml');

const actionlint = findActionlint() ?? '';
if (!actionlint) console.warn('Skipped: actionlint is not built here (npm run cluster -- build)');

/** Without what else would be looked for on the machine. */
function lint(input: string) {
  const args = ['-shellcheck=', '-pyflakes=', '-no-color', '-stdin-filename=ci.yml', '-'];
  const { status, stdout } = spawnSync(actionlint, args, { input, encoding: 'utf8' });
  return { status, stdout };
}

test.skipIf(!actionlint)('the workflow of the public forge is one that the forge takes', () => {
  const text = readFileSync(WORKFLOW, 'utf8');
  expect(lint(text)).toEqual({ status: 0, stdout: '' });
  expect(lint(text.replace('needs: images', 'needs: imagos')).stdout).toContain('imagos');
});
