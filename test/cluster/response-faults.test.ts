import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { crashAt } from './crash.ts';
import type { CrashPoint } from './crash-points.ts';
import { clusterTests } from './requirement.ts';
import { ResponseScene } from './response-scene.ts';

/** One of containment and one of each step that destroys; `npm run bench -- faults` goes through all of them. */
const SOME: CrashPoint[] = [
  'the quarantine is created',
  'the owner is deleted (terminate)',
  'the account is deleted (revoke)',
];

const AUTO = { gracePeriodSeconds: 0, steps: { terminate: 'auto', revoke: 'auto' } } as const;

describe.skipIf(clusterTests.skip)('two replicas on a real control plane', { timeout: 120_000 }, () => {
  let scene: ResponseScene;
  beforeAll(async () => {
    scene = await ResponseScene.open('response-faults', AUTO);
  }, 120_000);
  afterAll(() => scene?.close());

  describe('kill -9 of the leader right after', () => {
    test.each(SOME)('%s: the other one finishes, and nothing is done twice', async (point) => {
      const { took, problems } = await crashAt(scene, point);
      expect(problems).toEqual([]);
      console.log(`killed after "${point}": the other replica had finished ${Math.round(took)} ms later`);
    });
  });
});
