import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { Reflector, type ReflectorOptions } from '../../kube/reflector.ts';
import { breakable } from './broken-cluster.ts';
import { configMap } from './contract/scene.ts';

const lost = () => new KubesentryError('KUBE_UNREACHABLE', 'the line is cut');

describe('a reflector', () => {
  let cluster: MemoryCluster;
  let lists: number;
  let errors: unknown[];
  let face: Cluster;
  let broken: ReturnType<typeof breakable>['broken'];

  beforeEach(async () => {
    cluster = new MemoryCluster({ history: 50 });
    await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } });
    errors = [];
    lists = 0;
    ({ cluster: face, broken } = breakable(cluster));
    broken.list = (kind, options) => {
      lists += 1;
      return cluster.list(kind, options);
    };
  });

  async function reflect(
    options: Partial<ReflectorOptions<KubeObject>> = {},
  ): Promise<Reflector<KubeObject>> {
    const onError = (error: unknown) => errors.push(error);
    const reflector = new Reflector({ cluster: face, kind: KIND.ConfigMap, onError, ...options });
    onTestFinished(() => reflector.stop());
    await reflector.synced;
    return reflector;
  }

  const names = ({ store }: Reflector<KubeObject>) =>
    [...store.values()].map(({ metadata }) => metadata.name);

  test('reads every page', async () => {
    for (let i = 0; i < 1_234; i++) await cluster.create(KIND.ConfigMap, configMap('n', `c${i}`));
    expect((await reflect()).store.size).toBe(1_234);
    expect(lists).toBe(3);
  });

  test('misses nothing that changes between two pages', async () => {
    for (let i = 0; i < 600; i++) await cluster.create(KIND.ConfigMap, configMap('n', `c${1_000 + i}`));
    broken.list = async (kind, options) => {
      const page = await cluster.list(kind, options);
      if (!options?.continue) await cluster.delete(KIND.ConfigMap, { name: 'c1000', namespace: 'n' });
      return page;
    };
    const reflector = await reflect();
    await expect.poll(() => reflector.store.size).toBe(599);
  });

  test('goes on where a watch broke off, without another list', async () => {
    let watches = 0;
    broken.watch = async function* (kind, options) {
      watches += 1;
      for await (const event of cluster.watch(kind, options)) {
        yield event;
        throw lost();
      }
    };
    const reflector = await reflect();
    for (const name of ['a', 'b', 'c']) {
      await cluster.create(KIND.ConfigMap, configMap('n', name));
      await expect.poll(() => names(reflector), { timeout: 5_000 }).toContain(name);
    }
    expect(lists).toBe(1);
    expect(watches).toBeGreaterThanOrEqual(3);
    expect(errors).toContainEqual(lost());
  });

  test('lists again when a watch breaks at the same place twice', async () => {
    broken.watch = () => {
      throw lost();
    };
    const reflector = await reflect();
    await cluster.create(KIND.ConfigMap, configMap('n', 'a'));
    await expect.poll(() => names(reflector), { timeout: 5_000 }).toEqual(['a']);
    expect(lists).toBeGreaterThan(1);
  });

  test('lists again when its version is gone, and hears of what it missed', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    broken.watch = async function* (kind, options) {
      await held;
      delete broken.watch;
      yield* cluster.watch(kind, options);
    };
    const reflector = await reflect();
    for (let i = 0; i < 100; i++) await cluster.create(KIND.ConfigMap, configMap('n', `c${i}`));
    await cluster.delete(KIND.ConfigMap, { name: 'c0', namespace: 'n' });
    release();
    await expect.poll(() => reflector.store.size, { timeout: 5_000 }).toBe(99);
    expect(lists).toBe(2);
    expect(errors).toEqual([]);
  });

  test('does not run in circles when the server ends every watch at once', async () => {
    let watches = 0;
    broken.watch = () => {
      watches += 1;
      return (async function* () {
        yield* [];
      })();
    };
    const started = performance.now();
    await reflect();
    await expect.poll(() => watches, { timeout: 15_000 }).toBeGreaterThan(5);
    // Without a pause it would be a few milliseconds; the pauses are random, the sixth is 6.4 s at most.
    expect(performance.now() - started).toBeGreaterThan(50);
  });

  test('is synced only after a first list succeeded, however often one fails', async () => {
    let failures = 2;
    broken.list = async (kind, options) => {
      if (failures-- > 0) throw lost();
      return cluster.list(kind, options);
    };
    const reflector = await reflect();
    expect(reflector.isSynced).toBe(true);
    expect(errors).toEqual([lost(), lost()]);
  });

  test('contains what listeners and the transform throw, and goes on', async () => {
    const reflector = await reflect({
      transform: (object) => {
        if (object.metadata.name === 'odd') throw new Error('cannot take it');
        return object;
      },
    });
    const heard: unknown[] = [];
    reflector.store.listen({
      onSet: () => {
        throw new Error('a bad listener');
      },
    });
    reflector.store.listen({ onSet: ({ metadata }) => heard.push(metadata.name) });
    for (const name of ['odd', 'even']) await cluster.create(KIND.ConfigMap, configMap('n', name));
    await expect.poll(() => heard).toEqual(['even']);
    expect(errors.map(String)).toEqual(['Error: cannot take it', 'Error: a bad listener']);
    expect(names(reflector)).toEqual(['even']);
  });

  test('keeps no managed fields', async () => {
    const object = configMap('n', 'a');
    Object.assign(object.metadata, { managedFields: [{ manager: 'm' }] });
    await cluster.create(KIND.ConfigMap, object);
    const reflector = await reflect();
    expect([...reflector.store.values()][0]?.metadata).not.toHaveProperty('managedFields');
  });

  test('says how long the server has been silent', async () => {
    let now = 0;
    const reflector = new Reflector({ cluster: face, kind: KIND.ConfigMap, now: () => now });
    onTestFinished(() => reflector.stop());
    expect(reflector.staleness).toBe(Number.POSITIVE_INFINITY);
    await reflector.synced;
    now = 5_000;
    expect(reflector.staleness).toBe(5_000);
    await cluster.create(KIND.ConfigMap, configMap('n', 'a'));
    await expect.poll(() => reflector.staleness).toBe(0);
  });

  test('hears nothing more once it is stopped', async () => {
    const reflector = await reflect();
    await reflector.stop();
    await cluster.create(KIND.ConfigMap, configMap('n', 'a'));
    expect(names(reflector)).toEqual([]);
  });
});
