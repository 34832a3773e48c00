import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KIND } from '../../kube/kind.ts';
import {
  denialsIn,
  MINER,
  openScene,
  podOf,
  post,
  refusal,
  review,
  type Scene,
  userOf,
  workloadOf,
} from './harness.ts';

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
    expect(message).toContain('DaemonSet shop/xmrig is refused: it looks like a cryptominer');
    expect(message).toContain('stratum-url at spec.template.spec.containers[0].command[2]');
    expect(message).toContain('To do: Remove the miner.');
    const [, id] = /kubectl kubesentry explain (d-[0-9a-f]{16})$/.exec(message) ?? [];
    await scene.webhook.denialsKept();
    const denial = (await denialsIn(scene.cluster, 'shop')).find(({ metadata }) => metadata.name === id);
    expect(denial?.spec).toMatchObject({
      verdict: 'deny',
      gate: 'rules',
      operation: 'CREATE',
      resource: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'xmrig' },
      user: { username: 'alice' },
    });
  });

  it('is told in lines of 80 columns', async () => {
    const { json } = await post(scene.webhook, '/validate', review(podOf('x', 'shop', MINER)));
    const { message } = json.response.status;
    for (const line of message.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it('is told in text that steers no terminal, whatever the fields and the words are called', async () => {
    const hostile = {
      apiVersion: 'example.com/v1',
      kind: 'Thing',
      metadata: { name: 'a', namespace: 'shop' },
      spec: { '\u001b[2J\u202e': podOf('x', 'shop', { command: ['x\u200bmrig'] }).spec },
    };
    for (const name of ['a', 'b\u001b[31m']) {
      const { json } = await post(scene.webhook, '/validate', review(hostile, { name }));
      const { message } = json.response.status;
      expect(message).toContain('It starts x?mrig.');
      expect(message.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });

  it('is told one thing once, though one rule says a part of what another one does', async () => {
    const { json } = await post(scene.webhook, '/validate', review(podOf('x', 'shop', MINER)));
    const { message } = json.response.status;
    expect(message.replace(/\s+/g, ' ').match(/add an exemption/g)).toHaveLength(1);
  });

  it('is refused with 403, and the audit event gets the id', async () => {
    const { json } = await post(scene.webhook, '/validate', review(podOf('x', 'shop', MINER)));
    expect(json.response.status).toMatchObject({ code: 403, reason: 'Forbidden' });
    expect(json.response.auditAnnotations).toMatchObject({
      verdict: 'deny',
      gate: 'rules',
      denial: expect.stringMatching(/^d-[0-9a-f]{16}$/),
    });
  });

  const template = workloadOf('x', 'x', 'shop', MINER).spec as object;
  const job = { template: { spec: podOf('x', 'shop', MINER).spec } };
  it.each([
    ['Pod', 'v1', podOf('x', 'shop', MINER).spec],
    ['Deployment', 'apps/v1', template],
    ['StatefulSet', 'apps/v1', template],
    ['ReplicaSet', 'apps/v1', template],
    ['ReplicationController', 'v1', template],
    ['Job', 'batch/v1', job],
    ['CronJob', 'batch/v1', { schedule: '* * * * *', jobTemplate: { spec: job } }],
    ['Rollout', 'argoproj.io/v1alpha1', template],
    ['PodTemplate', 'v1', undefined],
  ])('is found in a %s', async (kind, apiVersion, spec) => {
    const object = {
      apiVersion,
      kind,
      metadata: { name: 'x', namespace: 'shop' },
      ...(spec ? { spec } : job),
    };
    const { json } = await post(scene.webhook, '/validate', review(object));
    expect(json.response.allowed).toBe(false);
  });

  it('is found in an update, also of an object that is being deleted', async () => {
    const oldObject = podOf('x', 'shop');
    const object = podOf('x', 'shop', MINER);
    object.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    const { json } = await post(
      scene.webhook,
      '/validate',
      review(object, { operation: 'UPDATE', oldObject }),
    );
    expect(json.response.allowed).toBe(false);
  });

  it('is found in an ephemeral container', async () => {
    const object = podOf('x', 'shop');
    object.spec = {
      ...(object.spec as object),
      ephemeralContainers: [{ name: 'debug', image: 'busybox', ...MINER }],
    };
    const request = {
      operation: 'UPDATE',
      subResource: 'ephemeralcontainers',
      oldObject: podOf('x', 'shop'),
    };
    const { json } = await post(scene.webhook, '/validate', review(object, request));
    expect(json.response.status.message).toContain('ephemeral container in Pod shop/x is refused');
    expect(json.response.status.message).toContain('spec.ephemeralContainers[0]');
  });

  it('is found in the command of an exec', async () => {
    const options = { apiVersion: 'v1', kind: 'PodExecOptions', metadata: {}, ...MINER };
    const request = {
      operation: 'CONNECT',
      subResource: 'exec',
      name: 'web',
      resource: { group: '', version: 'v1', resource: 'pods' },
    };
    const { json } = await post(scene.webhook, '/validate', review(options, request));
    expect(json.response.status.message).toContain('exec into Pod shop/web is refused');
    const harmless = { ...options, command: ['ls', '-l'] };
    const answer = await post(scene.webhook, '/validate', review(harmless, request));
    expect(answer.json.response.allowed).toBe(true);
  });

  it('is found in the script of a ConfigMap', async () => {
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'scripts', namespace: 'shop' },
      data: { 'run.sh': '#!/bin/sh\nexec xmrig -o stratum+tcp://pool.supportxmr.com:3333 --coin monero\n' },
    };
    const { json } = await post(scene.webhook, '/validate', review(object));
    expect(json.response.allowed).toBe(false);
  });

  it('does not stop what is harmless, nor any deletion', async () => {
    await scene.as('alice').create(KIND.Pod, podOf('web', 'shop'));
    const { json } = await post(
      scene.webhook,
      '/validate',
      review(undefined, { operation: 'DELETE', oldObject: podOf('x', 'shop', MINER) }),
    );
    expect(json.response).toEqual({ uid: expect.any(String), allowed: true });
  });
});

describe('what cannot be stopped at admission', () => {
  it('admits a mirror pod, which runs already, and keeps a record', async () => {
    const pod = podOf('static-node-1', 'kube-system', MINER);
    pod.metadata.annotations = { 'kubernetes.io/config.mirror': 'hash' };
    const { json } = await post(scene.webhook, '/validate', review(pod, { userInfo: userOf('node') }));
    expect(json.response.allowed).toBe(true);
    await scene.webhook.denialsKept();
    const [denial] = await denialsIn(scene.cluster, 'kube-system');
    expect(denial?.spec.resource.name).toBe('static-node-1');
    // The annotation alone is no pass.
    const copied = await post(
      scene.webhook,
      '/validate',
      review({ ...pod, metadata: { ...pod.metadata, namespace: 'shop' } }),
    );
    expect(copied.json.response.allowed).toBe(false);
  });
});
