import { beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/object.ts';
import { PodIndex } from '../../webhook/pod-index.ts';

const DIGEST = `registry.example.com/web@sha256:${'a'.repeat(64)}`;

function pod(uid: string, owner: string, image = DIGEST): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: 'shop',
      name: uid,
      uid,
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'StatefulSet', name: owner, uid: owner, controller: true },
      ],
    },
    spec: { containers: [{ name: 'main', image }] },
  };
}

let index: PodIndex;
let digest: string;
const isShared = () => index.isShared('image', digest, 'shop', { kind: 'StatefulSet', name: 'web' });
beforeEach(() => {
  index = new PodIndex(3);
  index.set(pod('1', 'web'));
  digest = index.byUid('1')?.containers[0]?.imageDigest as string;
});

describe('an image', () => {
  it('is shared while a pod of another workload uses it', () => {
    index.set(pod('2', 'web'));
    expect(isShared()).toBe(false);
    index.set(pod('3', 'other'));
    expect(isShared()).toBe(true);
    index.gone(pod('3', 'other'));
    expect(isShared()).toBe(false);
  });

  it('is no longer that of a pod that has got another', () => {
    index.set(pod('2', 'other'));
    index.set(pod('2', 'other', 'registry.example.com/else:1'));
    expect(isShared()).toBe(false);
  });

  it('is not that of a pod that was only admitted, nor of one that was forgotten', () => {
    index.admit(pod('2', 'other'), 'alice');
    expect(isShared()).toBe(false);
    index.set(pod('2', 'other'));
    expect(isShared()).toBe(true);
    for (const uid of ['3', '4', '5']) index.set(pod(uid, 'web'));
    expect(isShared()).toBe(false);
  });
});

describe('a pod that was admitted', () => {
  it('keeps its creator when the watch shows it, before or after', () => {
    index.admit(pod('2', 'other'), 'alice');
    index.set(pod('2', 'other'));
    expect(index.byUid('2')).toMatchObject({ creator: 'alice', exists: true });
    index.set(pod('3', 'other'));
    index.admit(pod('3', 'other'), 'bob');
    expect(index.named('shop', '3')).toMatchObject({ creator: 'bob', exists: true });
  });

  it('is forgotten, with its name, when thousands came after it and none was ever shown', () => {
    index.admit(pod('2', 'other'), 'alice');
    expect(index.named('shop', '2')).toMatchObject({ creator: 'alice', exists: false });
    for (let at = 0; at < 5_000; at++) index.admit(pod(`p${at}`, 'flood'), 'mallory');
    expect(index.named('shop', '2')).toBeUndefined();
    expect(index.byUid('1')?.exists).toBe(true);
  });
});
