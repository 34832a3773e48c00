import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KIND } from '../../kube/kind.ts';
import { denialsIn, MINER, openScene, podOf, refusal, type Scene, workloadOf } from './harness.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

describe('a miner', () => {
  it('is refused with rule, path, remedy and the id of its record', async () => {
    const message = await refusal(
      scene.as('alice').create(KIND.DaemonSet, workloadOf('DaemonSet', 'xmrig', 'shop', MINER)),
    );
    console.log(message);
    expect(message).toContain('DaemonSet shop/xmrig is refused');
    expect(message).toContain('spec.template.spec.containers[0].command');
    const [, id] = /kubectl kubesentry explain (d-[0-9a-f]{16})/.exec(message) ?? [];
    await scene.webhook.denialsKept();
    const [denial] = await denialsIn(scene.cluster, 'shop');
    expect(denial?.metadata.name).toBe(id);
    expect(denial?.status?.count).toBe(1);
  });

  it('does not stop its neighbours', async () => {
    await scene.as('alice').create(KIND.Pod, podOf('web', 'shop'));
  });
});
