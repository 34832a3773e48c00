import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScene, podOf, post, review, type Scene } from './harness.ts';

const MiB = 1024 * 1024;
let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const reviewOf = (bytes: number) => {
  const pod = podOf('big', 'shop');
  pod.metadata.annotations = { padding: 'x'.repeat(bytes) };
  return review(pod);
};

describe('the body limit of /validate', () => {
  it('judges what two objects of the largest size need', async () => {
    const { status, json } = await post(scene.webhook, '/validate', reviewOf(7 * MiB));
    expect([status, json.response.allowed]).toEqual([200, true]);
  });

  it.each([8, 20])(
    'refuses a review of %i MiB with its own uid, not with an error that the failurePolicy decides on',
    async (size) => {
      const { status, json } = await post(scene.webhook, '/validate', reviewOf(size * MiB));
      expect(status).toBe(200);
      expect(json.response).toMatchObject({
        uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
        allowed: false,
        status: { code: 413, reason: 'RequestEntityTooLarge' },
      });
      expect(json.response.status.message).toContain('larger than 8 MiB');
      expect(JSON.stringify(json).length).toBeLessThan(1000);
    },
  );

  it('answers 413 with code and remedy where no uid can be read', async () => {
    const { status, json } = await post(scene.webhook, '/validate', Buffer.alloc(9 * MiB, 'x'));
    expect(status).toBe(413);
    expect(json).toMatchObject({ code: 'BODY_TOO_LARGE', remedy: expect.any(String) });
  });

  it('goes on with the same connection afterwards', async () => {
    const { Agent } = await import('node:https');
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: scene.webhook.caBundle });
    await post(scene.webhook, '/validate', reviewOf(8 * MiB), { agent });
    const { json } = await post(scene.webhook, '/validate', review(podOf('web', 'shop')), { agent });
    expect(json.response.allowed).toBe(true);
    agent.destroy();
  });
});
