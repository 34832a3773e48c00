import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MINER, openScene, podOf, post, review, type Scene } from './harness.ts';

const UID = '705ab4f5-6393-11e8-b7cc-42010a800002';
let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const whole = JSON.stringify(review(podOf('web', 'shop')));
// biome-ignore lint/suspicious/noExplicitAny: it is made wrong on purpose.
const without = (change: (review: any) => void) => {
  const copy = JSON.parse(whole);
  change(copy);
  return JSON.stringify(copy);
};

describe('a review that can be answered by its uid is refused with the reason', () => {
  const cases: [name: string, body: string, reason: RegExp][] = [
    ['cut off', whole.slice(0, -40), /cut off/],
    ['cut off in the middle of the object', whole.slice(0, whole.indexOf('containers')), /cut off/],
    ['no object', without((it) => delete it.request.object), /carries no object/],
    ['object is null', without((it) => (it.request.object = null)), /carries no object/],
    ['object is a list', without((it) => (it.request.object = [])), /carries no object/],
    ['unknown apiVersion', without((it) => (it.apiVersion = 'admission.k8s.io/v1beta1')), /apiVersion/],
    ['wrong kind', without((it) => (it.kind = 'Review')), /kind/],
    ['no user', without((it) => delete it.request.userInfo), /userInfo/],
    ['unknown operation', without((it) => (it.request.operation = 'PATCH')), /operation/],
    [
      'too deep',
      without((it) => (it.request.object = { deep: JSON.parse('['.repeat(200) + ']'.repeat(200)) })),
      /100 levels/,
    ],
  ];
  it.each(cases)('%s', async (_, body, reason) => {
    const { status, json } = await post(scene.webhook, '/validate', body);
    expect(status).toBe(200);
    expect(json).toMatchObject({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' });
    expect(json.response).toMatchObject({ uid: UID, allowed: false });
    expect(json.response.status.code).toBeGreaterThanOrEqual(400);
    expect(json.response.status.message).toMatch(reason);
  });
});

describe('a body without a uid is answered with an error', () => {
  const cases: [name: string, body: string | Buffer, status: number, code: string][] = [
    ['empty', '', 400, 'BODY_NOT_JSON'],
    ['text', 'hello', 400, 'BODY_NOT_JSON'],
    ['binary', Buffer.from([0xff, 0xfe, 0x00, 0x22]), 400, 'BODY_NOT_JSON'],
    ['a number', '7', 422, 'BODY_INVALID'],
    ['null', 'null', 422, 'BODY_INVALID'],
    ['no request', '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', 422, 'BODY_INVALID'],
    ['empty uid', without((it) => (it.request.uid = '')), 422, 'BODY_INVALID'],
    ['uid is a number', without((it) => (it.request.uid = 7)), 422, 'BODY_INVALID'],
    ['the uid of the object only', '{"request":{"object":{"metadata":{"uid":"x"}}', 400, 'BODY_NOT_JSON'],
    ['deep', '['.repeat(100_000), 400, 'BODY_TOO_DEEP'],
  ];
  it.each(cases)('%s', async (_, body, status, code) => {
    const answer = await post(scene.webhook, '/validate', body);
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ code, message: expect.any(String), remedy: expect.any(String) });
  });

  it('answers another path with what is served', async () => {
    const { status, json } = await post(scene.webhook, '/mutate', '{}');
    expect([status, json.code]).toEqual([404, 'PATH_UNKNOWN']);
    expect(json.remedy).toContain('/validate');
  });
});

describe('objects of another shape than the API server takes', () => {
  it('judges containers that are a map', async () => {
    const pod = podOf('sneaky', 'shop');
    pod.spec = { containers: { main: { name: 'main', image: 'busybox', ...MINER } } };
    const { json } = await post(scene.webhook, '/validate', review(pod));
    expect(json.response.allowed).toBe(false);
    expect(json.response.status.message).toContain('stratum-url');
  });

  it.each([
    ['metadata is text', { metadata: 'x' }],
    [
      'labels are a list',
      { metadata: { name: 'x', labels: [1], annotations: 7, ownerReferences: { a: 1 } } },
    ],
    ['spec is null', { spec: null }],
    ['everything is missing', {}],
  ])('answers when %s', async (_, object) => {
    const { status, json } = await post(
      scene.webhook,
      '/validate',
      without((it) => (it.request.object = object)),
    );
    expect([status, json.response.uid]).toEqual([200, UID]);
  });
});
