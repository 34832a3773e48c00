import { beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../api/object.ts';
import type { WatchEvent } from '../../../kube/cluster.ts';
import { KIND } from '../../../kube/kind.ts';
import { Reflector } from '../../../kube/reflector.ts';
import { codeOf, namesOf, type Scene } from './scene.ts';

export function readingContract(scene: Scene): void {
  describe('lists', () => {
    beforeEach(async () => {
      const { cluster } = scene;
      await cluster.create(KIND.ConfigMap, scene.configMap('a', {}, { app: 'web', tier: 'front' }));
      await cluster.create(KIND.ConfigMap, scene.configMap('b', {}, { app: 'web' }));
      await cluster.create(KIND.ConfigMap, scene.configMap('c', {}, { app: 'db' }));
    });

    test.each([
      ['app=web', ['a', 'b']],
      ['app==web,tier=front', ['a']],
      ['app in (web, db),!tier', ['b', 'c']],
      ['app notin (web),app', ['c']],
      ['tier', ['a']],
      ['app!=web,app', ['c']],
      ['app,constructor', []],
    ])('by label: %s', async (labelSelector, names) => {
      const { cluster, namespace } = scene;
      const { items } = await cluster.list(KIND.ConfigMap, { namespace, labelSelector });
      expect(namesOf(items)).toEqual(names);
    });

    test.each([
      ['metadata.name=b', ['b']],
      ['metadata.name!=b', ['a', 'c']],
    ])('by field: %s', async (fieldSelector, names) => {
      const { cluster, namespace } = scene;
      const { items } = await cluster.list(KIND.ConfigMap, {
        namespace,
        fieldSelector,
        labelSelector: 'app',
      });
      expect(namesOf(items)).toEqual(names);
    });

    test.each([
      { labelSelector: 'app in web' },
      { labelSelector: '=x' },
      { fieldSelector: 'data.x=1' },
      { fieldSelector: 'nonsense' },
    ])('%o is KUBE_REFUSED', async (selector) => {
      expect(await codeOf(scene.cluster.list(KIND.ConfigMap, selector))).toBe('KUBE_REFUSED');
    });

    test('items say what they are', async () => {
      const { items } = await scene.cluster.list(KIND.ConfigMap, { namespace: scene.namespace });
      expect(items[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    });

    test('pages show the moment of the first one', async () => {
      const { cluster, namespace } = scene;
      const page = { namespace, labelSelector: 'app', limit: 2 };
      const first = await cluster.list(KIND.ConfigMap, page);
      expect(namesOf(first.items)).toEqual(['a', 'b']);
      await cluster.delete(KIND.ConfigMap, scene.key('a'));
      await cluster.delete(KIND.ConfigMap, scene.key('c'));
      const second = await cluster.list(KIND.ConfigMap, { ...page, continue: first.continue });
      expect(namesOf(second.items)).toEqual(['c']);
      expect(second.resourceVersion).toBe(first.resourceVersion);
      expect(second.continue).toBeFalsy();
    });
  });

  test('pods are selected by node and phase', async () => {
    const { cluster, namespace } = scene;
    await cluster.create(KIND.ServiceAccount, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: scene.key('runner'),
    });
    for (const [name, nodeName] of [
      ['p1', 'n1'],
      ['p2', 'n2'],
    ] as const) {
      const spec = { nodeName, serviceAccountName: 'runner', containers: [{ name: 'c', image: 'i' }] };
      await cluster.create(KIND.Pod, { apiVersion: 'v1', kind: 'Pod', metadata: scene.key(name), spec });
      const phase = name === 'p1' ? 'Running' : 'Failed';
      await cluster.patch(KIND.Pod, scene.key(name), { status: { phase } }, { subresource: 'status' });
    }
    const select = async (fieldSelector: string) =>
      namesOf((await cluster.list(KIND.Pod, { namespace, fieldSelector })).items);
    expect(await select('spec.nodeName=n1')).toEqual(['p1']);
    expect(await select('status.phase=Failed')).toEqual(['p2']);
    expect(await select('spec.nodeName=n1,status.phase=Failed')).toEqual([]);
    for (const name of ['p1', 'p2'])
      await cluster.delete(KIND.Pod, scene.key(name), { gracePeriodSeconds: 0 });
  });

  describe('watches', () => {
    const LABEL = { watched: 'yes' };
    const watched = (name: string) => scene.configMap(name, {}, LABEL);

    async function collect(labelSelector: string, events: number, act: () => Promise<unknown>) {
      const { cluster, namespace } = scene;
      const { resourceVersion } = await cluster.list(KIND.ConfigMap, { namespace });
      const stop = new AbortController();
      const seen: WatchEvent<KubeObject>[] = [];
      const watching = (async () => {
        const options = { namespace, labelSelector, resourceVersion, signal: stop.signal };
        for await (const event of cluster.watch(KIND.ConfigMap, options)) {
          if (event.type !== 'BOOKMARK') seen.push(event);
          if (seen.length === events) stop.abort();
        }
      })();
      await act();
      await watching;
      return seen.map((event) =>
        event.type === 'BOOKMARK' ? '' : `${event.type} ${event.object.metadata.name}`,
      );
    }

    test('every change after the version, in order, until the signal', async () => {
      const seen = await collect('watched', 3, async () => {
        await scene.cluster.create(KIND.ConfigMap, watched('w'));
        await scene.cluster.patch(KIND.ConfigMap, scene.key('w'), { data: { x: '1' } });
        await scene.cluster.delete(KIND.ConfigMap, scene.key('w'));
      });
      expect(seen).toEqual(['ADDED w', 'MODIFIED w', 'DELETED w']);
    });

    test('an object that begins to match is ADDED, one that ends to match is DELETED', async () => {
      const label = (value: string) =>
        scene.cluster.patch(KIND.ConfigMap, scene.key('w'), { metadata: { labels: { watched: value } } });
      const seen = await collect('watched=yes', 2, async () => {
        await scene.cluster.create(KIND.ConfigMap, scene.configMap('w'));
        await label('yes');
        await label('no');
      });
      expect(seen).toEqual(['ADDED w', 'DELETED w']);
    });

    test('an old version replays what came after it', async () => {
      const { metadata } = await scene.cluster.create(KIND.ConfigMap, watched('first'));
      await scene.cluster.create(KIND.ConfigMap, watched('second'));
      const options = { namespace: scene.namespace, labelSelector: 'watched', timeoutSeconds: 1 };
      const { resourceVersion = '' } = metadata;
      const seen: string[] = [];
      const { signal } = new AbortController();
      for await (const event of scene.cluster.watch(KIND.ConfigMap, {
        ...options,
        resourceVersion,
        signal,
      })) {
        if (event.type !== 'BOOKMARK') seen.push(`${event.type} ${event.object.metadata.name}`);
      }
      expect(seen).toEqual(['ADDED second']);
    });

    test('the server ends it after timeoutSeconds', async () => {
      const { cluster, namespace } = scene;
      const { resourceVersion } = await cluster.list(KIND.ConfigMap, { namespace });
      const { signal } = new AbortController();
      const options = { namespace, labelSelector: 'no-such', resourceVersion, timeoutSeconds: 1, signal };
      for await (const event of cluster.watch(KIND.ConfigMap, options)) expect(event.type).toBe('BOOKMARK');
    });

    test('from a version that is gone it throws KUBE_CONFLICT', async () => {
      const { cluster } = scene;
      await cluster.create(KIND.ConfigMap, scene.configMap('w'));
      for (let i = 0; i < 100; i++)
        await cluster.patch(KIND.ConfigMap, scene.key('w'), { data: { x: `${i}` } });
      // Of the kinds here only ours are younger than the cluster: an API server knows nothing before they were made.
      const options = { resourceVersion: '1', timeoutSeconds: 5, signal: new AbortController().signal };
      const first = cluster.watch(KIND.Quarantine, options)[Symbol.asyncIterator]().next();
      expect(await codeOf(first)).toBe('KUBE_CONFLICT');
    });

    test('a reflector follows, and tells its listeners only what changed', async () => {
      const { cluster, namespace } = scene;
      const labels = { seen: namespace };
      await cluster.create(KIND.ConfigMap, scene.configMap('before', {}, labels));
      const reflector = new Reflector({ cluster, kind: KIND.ConfigMap, labelSelector: `seen=${namespace}` });
      await reflector.synced;
      const heard: string[] = [];
      reflector.store.listen({
        onSet: (object, old) => heard.push(`${old ? 'changed' : 'new'} ${object.metadata.name}`),
        onDelete: (object) => heard.push(`gone ${object.metadata.name}`),
      });
      await cluster.create(KIND.ConfigMap, scene.configMap('after', {}, labels));
      await cluster.patch(KIND.ConfigMap, scene.key('after'), { data: { x: '1' } });
      await cluster.delete(KIND.ConfigMap, scene.key('before'));
      await expect.poll(() => heard).toEqual(['new before', 'new after', 'changed after', 'gone before']);
      await reflector.stop();
    });
  });
}
