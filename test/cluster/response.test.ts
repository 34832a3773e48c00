import { afterAll, beforeAll, describe } from 'vitest';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { KIND } from '../../kube/kind.ts';
import { containment } from './containment.ts';
import { faultsOfTheResponse } from './faults-of-the-response.ts';
import { Opening } from './opening.ts';
import { protectedNamespaces } from './protected-namespaces.ts';
import { clusterTests } from './requirement.ts';
import { ResponseScene } from './response-scene.ts';
import { termination } from './termination.ts';

/** Two replicas as processes of their own on one real control plane, for all of it: starting that is most of the time. */
describe.skipIf(clusterTests.skip)('the response on a real control plane', { timeout: 90_000 }, () => {
  const opening = new Opening<ResponseScene>();
  let scene: ResponseScene;
  beforeAll(async () => {
    scene = await opening.open(() => ResponseScene.open('response-test', { gracePeriodSeconds: 0 }));
  }, 120_000);
  afterAll(() => opening.close(), 120_000);

  describe('a quarantine', () => containment(() => scene));
  describe('what the cluster lives on', () => protectedNamespaces(() => scene));

  describe('by itself', () => {
    beforeAll(async () => {
      const key = { namespace: SYSTEM_NAMESPACE, name: 'response' };
      const steps = { terminate: 'auto', revoke: 'auto' };
      await scene.admin.patch(KIND.SentryPolicy, key, { spec: { response: { steps } } });
    });

    describe('the step terminate', () => termination(() => scene));
    describe('survives', () => faultsOfTheResponse(() => scene));
  });
});
