import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundle } from '../../build/bundle.ts';
import { killRounds } from '../bench/load/kill-rounds.ts';
import { whyNoKernel } from './arena.ts';

test.skipIf(whyNoKernel())(
  'an agent that is killed at any moment loses nothing that was on disk, repeats nothing, and leaves nothing',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubesentry-killed-'));
    try {
      await bundle(folder);
      const outcome = await killRounds({ rounds: 3, bundle: folder });
      expect(outcome).toMatchObject({ twice: [], lostFromDisk: [], leftInKernel: [] });
      expect(outcome.acknowledged).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  60_000,
);
