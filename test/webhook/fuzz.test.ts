import { Agent } from 'node:https';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { peekUid } from '../../webhook/admission/peek-uid.ts';
import { nestsDeeper } from '../../webhook/json-nesting.ts';
import { MINER, openScene, podOf, post, review, type Scene, workloadOf } from './harness.ts';

let scene: Scene;
const agent = new Agent({ keepAlive: true });
beforeAll(async () => {
  scene = await openScene();
});
afterAll(async () => {
  agent.destroy();
  await scene[Symbol.asyncDispose]();
});

const names = [
  'spec',
  'metadata',
  'template',
  'containers',
  'ephemeralContainers',
  'name',
  'image',
  'command',
  'args',
  'env',
  'value',
  'labels',
  'annotations',
  'ownerReferences',
  'kind',
  'data',
  'controller',
];
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constantFrom<unknown>(
      null,
      true,
      7,
      '',
      'xmrig',
      'stratum+tcp://pool.supportxmr.com:3333',
      'sh',
      '-c',
    ),
    fc.string(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), tie('value'), { maxKeys: 5 }),
  ),
}));

/** Puts something else into one random place of a good review. */
function damage(whole: unknown, path: readonly number[], replacement: unknown): unknown {
  if (typeof whole !== 'object' || whole === null || path.length === 0) return replacement;
  const keys = Object.keys(whole);
  const [at = 0, ...rest] = path;
  const key = keys[at % Math.max(keys.length, 1)];
  if (key === undefined) return replacement;
  const copy: Record<string, unknown> = Array.isArray(whole) ? ([...whole] as never) : { ...whole };
  copy[key] = damage(copy[key], rest, replacement);
  return copy;
}

describe('whatever the object is', () => {
  it('the answer is an AdmissionReview with the same uid', async () => {
    const kinds = fc.constantFrom('CREATE', 'UPDATE', 'DELETE', 'CONNECT');
    const subResources = fc.constantFrom('', 'exec', 'ephemeralcontainers', 'scale', 'token', 'status');
    await fc.assert(
      fc.asyncProperty(
        fc.uuid(),
        value,
        value,
        kinds,
        subResources,
        async (uid, object, oldObject, operation, subResource) => {
          const body = review(undefined, {
            object,
            uid,
            operation,
            subResource,
            oldObject,
            name: 'x',
          });
          const { status, json } = await post(scene.webhook, '/validate', whole(body), { agent });
          expect(status).toBe(200);
          expect(json.kind).toBe('AdmissionReview');
          expect(json.response.uid).toBe(uid);
          expect(typeof json.response.allowed).toBe('boolean');
          expect(json.response.status?.code ?? 0).not.toBe(500);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('a good review with one place damaged is answered, with its uid as long as that is whole', async () => {
    const bases = fc.constantFrom(
      review(workloadOf('DaemonSet', 'x', 'shop', MINER)),
      review(podOf('x', 'shop', MINER)),
    );
    await fc.assert(
      fc.asyncProperty(
        bases,
        fc.array(fc.nat(20), { minLength: 2, maxLength: 9 }),
        value,
        async (base, path, replacement) => {
          const damaged = damage(base, path, replacement) as { request?: { uid?: unknown } };
          const { status, json } = await post(scene.webhook, '/validate', JSON.stringify(damaged) ?? '', {
            agent,
          });
          const uid = damaged?.request?.uid;
          if (typeof uid === 'string' && uid !== '') expect([status, json.response.uid]).toEqual([200, uid]);
          else expect([status, typeof json.code]).toEqual([422, 'string']);
          expect(json.response?.status?.code ?? 0).not.toBe(500);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('a review cut off anywhere is refused', async () => {
    const body = JSON.stringify(review(podOf('x', 'shop')));
    await fc.assert(
      fc.asyncProperty(fc.nat(body.length - 1), async (length) => {
        const { status, json } = await post(scene.webhook, '/validate', body.slice(0, length), { agent });
        if (status === 200)
          expect(json.response).toMatchObject({
            allowed: false,
            uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
          });
        else expect([status, json.code]).toEqual([400, 'BODY_NOT_JSON']);
      }),
      { numRuns: 100 },
    );
  });
});

function whole(body: object): string {
  return JSON.stringify(body, (_, each: unknown) => each ?? null);
}

describe('reading what cannot be parsed', () => {
  it('finds the uid of the request wherever JSON.parse would', () => {
    fc.assert(
      fc.property(value, value, fc.string({ minLength: 1, maxLength: 40 }), (before, object, uid) => {
        const text = JSON.stringify({ before, request: { kind: { uid: 'no' }, object, uid } });
        expect(peekUid(Buffer.from(text))).toBe(uid);
      }),
    );
  });

  it('takes no other uid for it', () => {
    for (const text of [
      '{"uid":"a"}',
      '{"object":{"request":{"uid":"a"}}}',
      '{"request":["uid","a"]}',
      '{"x":"\\"request\\":{\\"uid\\":\\"a\\"}"}',
      '[{"request":{"uid":"a"}}]',
      '{"request":{"uid":{"uid":"a"}}}',
    ]) {
      expect(peekUid(Buffer.from(text)), text).toBeUndefined();
    }
  });

  it('never throws, and counts depth as JSON.parse nests', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        peekUid(bytes);
        nestsDeeper(bytes, 3);
      }),
    );
    fc.assert(
      fc.property(value, (any) => {
        const depth = depthOf(any ?? null);
        const bytes = Buffer.from(JSON.stringify(any ?? null));
        expect(nestsDeeper(bytes, depth)).toBe(false);
        expect(depth === 0 || nestsDeeper(bytes, depth - 1)).toBe(true);
      }),
    );
  });
});

function depthOf(any: unknown): number {
  if (typeof any !== 'object' || any === null) return 0;
  return 1 + Math.max(0, ...Object.values(any).map(depthOf));
}
