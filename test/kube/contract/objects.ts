import { describe, expect, test } from 'vitest';
import type { Quarantine } from '../../../api/quarantine.ts';
import { KIND } from '../../../kube/kind.ts';
import { codeOf, type Scene } from './scene.ts';

export function objectsContract(scene: Scene): void {
  describe('objects', () => {
    test('what is created has uid, version, time, and can be read', async () => {
      const made = await scene.cluster.create(KIND.ConfigMap, scene.configMap('a', { x: '1' }));
      const { namespace } = scene;
      expect(made.metadata).toMatchObject({ name: 'a', namespace, uid: expect.any(String) });
      expect(Date.parse(made.metadata.creationTimestamp as string)).toBeGreaterThan(Date.now() - 60_000);
      expect(await scene.cluster.get(KIND.ConfigMap, scene.key('a'))).toMatchObject({ data: { x: '1' } });
    });

    test('what is not there reads as undefined, and deleting it is no error', async () => {
      expect(await scene.cluster.get(KIND.ConfigMap, scene.key('absent'))).toBeUndefined();
      await scene.cluster.delete(KIND.ConfigMap, scene.key('absent'));
    });

    test('an empty name, or one that goes up in a path, means no object: not all of the kind, nor the namespace', async () => {
      const { cluster } = scene;
      await cluster.create(KIND.ConfigMap, scene.configMap('kept'));
      for (const name of ['', '.', '..']) {
        expect(await cluster.get(KIND.ConfigMap, scene.key(name))).toBeUndefined();
        await cluster.delete(KIND.ConfigMap, scene.key(name));
        expect(await codeOf(cluster.patch(KIND.ConfigMap, scene.key(name), {}))).toBe('KUBE_NOT_FOUND');
      }
      expect(await cluster.get(KIND.ConfigMap, scene.key('kept'))).toBeDefined();
    });

    test('a kind is known by what is written in references to its objects', async () => {
      await scene.cluster.create(KIND.ConfigMap, scene.configMap('a'));
      expect(await scene.cluster.kindOf('v1', 'ConfigMap')).toEqual(KIND.ConfigMap);
      expect(await scene.cluster.kindOf('apps/v1', 'DaemonSet')).toEqual(KIND.DaemonSet);
      expect(await scene.cluster.kindOf('apps/v1', 'Nothing')).toBeUndefined();
      expect(await scene.cluster.kindOf('nobody.example.com/v1', 'DaemonSet')).toBeUndefined();
    });

    test('generateName makes different names', async () => {
      const { namespace } = scene;
      const object = { ...scene.configMap(''), metadata: { generateName: 'g-', namespace } };
      const names = [
        (await scene.cluster.create(KIND.ConfigMap, object)).metadata.name,
        (await scene.cluster.create(KIND.ConfigMap, object)).metadata.name,
      ];
      expect(new Set(names).size).toBe(2);
      expect(names[0]).toMatch(/^g-./);
    });

    test('creating twice is KUBE_CONFLICT; into no namespace is KUBE_NOT_FOUND; without a name is KUBE_REFUSED', async () => {
      const { cluster, namespace } = scene;
      await cluster.create(KIND.ConfigMap, scene.configMap('a'));
      expect(await codeOf(cluster.create(KIND.ConfigMap, scene.configMap('a')))).toBe('KUBE_CONFLICT');
      const elsewhere = { ...scene.configMap('a'), metadata: { name: 'a', namespace: 'no-such' } };
      expect(await codeOf(cluster.create(KIND.ConfigMap, elsewhere))).toBe('KUBE_NOT_FOUND');
      const nameless = { ...scene.configMap(''), metadata: { namespace } };
      expect(await codeOf(cluster.create(KIND.ConfigMap, nameless))).toBe('KUBE_REFUSED');
    });

    test('an update replaces; with an old version it is KUBE_CONFLICT, of nothing KUBE_NOT_FOUND', async () => {
      const { cluster } = scene;
      const first = await cluster.create(KIND.ConfigMap, scene.configMap('a', { x: '1' }));
      const second = await cluster.update(KIND.ConfigMap, { ...first, data: { y: '2' } });
      expect(second.data).toEqual({ y: '2' });
      expect(second.metadata.uid).toBe(first.metadata.uid);
      const late = cluster.update(KIND.ConfigMap, { ...first, data: { x: '3' } });
      expect(await codeOf(late)).toBe('KUBE_CONFLICT');
      expect(await codeOf(cluster.update(KIND.ConfigMap, scene.configMap('no')))).toBe('KUBE_NOT_FOUND');
    });

    test('an update without a version replaces whatever is there, but only the object of the uid', async () => {
      const { cluster } = scene;
      await cluster.create(KIND.ConfigMap, scene.configMap('a', { x: '1' }));
      const object = scene.configMap('a', { x: '2' });
      expect((await cluster.update(KIND.ConfigMap, object)).data).toEqual({ x: '2' });
      const uid = '00000000-0000-4000-8000-000000000000';
      const other = { ...object, metadata: { ...object.metadata, uid } };
      expect(await codeOf(cluster.update(KIND.ConfigMap, other))).toBe('KUBE_CONFLICT');
    });

    test('a merge patch sets, keeps and removes', async () => {
      const { cluster } = scene;
      await cluster.create(KIND.ConfigMap, scene.configMap('a', { x: '1', y: '1' }));
      const patched = await cluster.patch(KIND.ConfigMap, scene.key('a'), { data: { x: null, z: '1' } });
      expect(patched.data).toEqual({ y: '1', z: '1' });
      expect(await codeOf(cluster.patch(KIND.ConfigMap, scene.key('no'), {}))).toBe('KUBE_NOT_FOUND');
    });

    test('a patch that changes nothing makes no new version', async () => {
      const { cluster } = scene;
      const made = await cluster.create(KIND.ConfigMap, scene.configMap('a', { x: '1' }));
      const patched = await cluster.patch(KIND.ConfigMap, scene.key('a'), { data: { x: '1' } });
      expect(patched.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    });

    test('a dry run answers what would be, and changes nothing', async () => {
      const { cluster } = scene;
      const key = scene.key('a');
      const dryRun = { dryRun: true };
      await cluster.create(KIND.ConfigMap, scene.configMap('a', { x: '1' }), dryRun);
      expect(await cluster.get(KIND.ConfigMap, key)).toBeUndefined();
      const made = await cluster.create(KIND.ConfigMap, scene.configMap('a', { x: '1' }));
      const would = [
        await cluster.update(KIND.ConfigMap, { ...made, data: { x: '2' } }, dryRun),
        await cluster.patch(KIND.ConfigMap, key, { data: { x: '2' } }, dryRun),
        await cluster.apply(KIND.ConfigMap, scene.configMap('a', { x: '2' }), dryRun),
      ];
      expect(would.map(({ data }) => data)).toEqual([{ x: '2' }, { x: '2' }, { x: '2' }]);
      expect(await cluster.get(KIND.ConfigMap, key)).toEqual(made);
    });
  });

  describe('status', () => {
    const quarantine = (name: string, reason = 'a test'): Quarantine => ({
      apiVersion: 'kubesentry.io/v1alpha1',
      kind: 'Quarantine',
      metadata: { name },
      spec: { namespace: 'somewhere', reason, requestedBy: 'a test', bans: [] },
    });

    test('is written through its subresource only, and that writes nothing else', async () => {
      const { cluster, namespace: name } = scene;
      const first = await cluster.create(KIND.Quarantine, {
        ...quarantine(name),
        status: { phase: 'Active' },
      });
      expect(first.status).toBeUndefined();
      const second = await cluster.patch(
        KIND.Quarantine,
        { name },
        { spec: { reason: 'other' }, status: { phase: 'Active' } },
        { subresource: 'status' },
      );
      expect(second).toMatchObject({ spec: { reason: 'a test' }, status: { phase: 'Active' } });
      const third = await cluster.update(KIND.Quarantine, {
        ...second,
        spec: { ...second.spec, reason: 'better' },
        status: { phase: 'Pending' },
      });
      expect(third).toMatchObject({ spec: { reason: 'better' }, status: { phase: 'Active' } });
      const generations = [first, second, third].map(({ metadata }) => metadata.generation);
      expect(generations).toEqual([1, 1, 2]);
      await cluster.delete(KIND.Quarantine, { name });
    });

    test('of our own kinds, an update without a version is KUBE_REFUSED', async () => {
      const { cluster, namespace: name } = scene;
      await cluster.create(KIND.Quarantine, quarantine(name));
      expect(await codeOf(cluster.update(KIND.Quarantine, quarantine(name, 'other')))).toBe('KUBE_REFUSED');
      await cluster.delete(KIND.Quarantine, { name });
    });

    test('managers apply their own conditions, keyed by type', async () => {
      const { cluster, namespace: name } = scene;
      await cluster.create(KIND.Quarantine, quarantine(name));
      const condition = (type: string) => ({
        type,
        status: 'True' as const,
        reason: 'Test',
        message: 'a test',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      });
      const apply = async (fieldManager: string, types: string[]) => {
        const status = { phase: 'Active' as const, conditions: types.map(condition) };
        const options = { fieldManager, subresource: 'status' as const };
        const applied = await cluster.apply(KIND.Quarantine, { ...quarantine(name), status }, options);
        return applied.status?.conditions?.map(({ type }) => type).sort();
      };
      expect(await apply('first', ['A', 'B'])).toEqual(['A', 'B']);
      expect(await apply('second', ['C'])).toEqual(['A', 'B', 'C']);
      expect(await apply('first', ['B'])).toEqual(['B', 'C']);
      // What somebody else wrote into an item does not keep the item.
      const conditions = ['B', 'C'].map((type) => ({ ...condition(type), status: 'False' }));
      await cluster.patch(KIND.Quarantine, { name }, { status: { conditions } }, { subresource: 'status' });
      expect(await apply('first', [])).toEqual(['C']);
      await cluster.delete(KIND.Quarantine, { name });
    });
  });

  describe('deleting', () => {
    test('with another uid is KUBE_CONFLICT', async () => {
      const { cluster } = scene;
      await cluster.create(KIND.ConfigMap, scene.configMap('a'));
      const uid = '00000000-0000-4000-8000-000000000000';
      const key = scene.key('a');
      expect(await codeOf(cluster.delete(KIND.ConfigMap, key, { uid }))).toBe('KUBE_CONFLICT');
      const object = await cluster.get(KIND.ConfigMap, key);
      await cluster.delete(KIND.ConfigMap, key, { uid: object?.metadata.uid });
      expect(await cluster.get(KIND.ConfigMap, key)).toBeUndefined();
    });

    test('with another version is KUBE_CONFLICT', async () => {
      const { cluster } = scene;
      const key = scene.key('a');
      const before = await cluster.create(KIND.ConfigMap, scene.configMap('a'));
      const after = await cluster.patch(KIND.ConfigMap, key, { data: { changed: 'yes' } });
      const { uid } = before.metadata;
      const deleteAt = ({ metadata }: typeof before) =>
        cluster.delete(KIND.ConfigMap, key, { uid, resourceVersion: metadata.resourceVersion });
      expect(await codeOf(deleteAt(before))).toBe('KUBE_CONFLICT');
      await deleteAt(after);
      expect(await cluster.get(KIND.ConfigMap, key)).toBeUndefined();
    });

    test('waits for finalizers', async () => {
      const { cluster } = scene;
      const object = scene.configMap('a');
      object.metadata.finalizers = ['kubesentry.io/test'];
      await cluster.create(KIND.ConfigMap, object);
      await cluster.delete(KIND.ConfigMap, scene.key('a'));
      const marked = await cluster.get(KIND.ConfigMap, scene.key('a'));
      expect(marked?.metadata.deletionTimestamp).toBeDefined();
      await cluster.patch(KIND.ConfigMap, scene.key('a'), { metadata: { finalizers: null } });
      expect(await cluster.get(KIND.ConfigMap, scene.key('a'))).toBeUndefined();
    });

    /** Two owners; one object that only the first owns, and one that both own. */
    async function family() {
      const { cluster } = scene;
      const own = async (name: string) => {
        const { metadata } = await cluster.create(KIND.ConfigMap, scene.configMap(name));
        return { apiVersion: 'v1', kind: 'ConfigMap', name, uid: metadata.uid as string };
      };
      const owners = [await own('first'), await own('second')];
      for (const [name, references] of [
        ['one', owners.slice(0, 1)],
        ['both', owners],
      ] as const) {
        const object = scene.configMap(name);
        object.metadata.ownerReferences = [...references];
        await cluster.create(KIND.ConfigMap, object);
      }
    }

    test('an owner takes along what nobody else owns', async () => {
      await family();
      const { cluster } = scene;
      await cluster.delete(KIND.ConfigMap, scene.key('first'), { propagation: 'Background' });
      const gone = () => cluster.get(KIND.ConfigMap, scene.key('one'));
      await expect.poll(gone, { timeout: 15_000 }).toBeUndefined();
      expect(await cluster.get(KIND.ConfigMap, scene.key('both'))).toBeDefined();
    });

    test('an owner with Orphan leaves behind what it owned, without the reference', async () => {
      await family();
      const { cluster } = scene;
      await cluster.delete(KIND.ConfigMap, scene.key('first'), { propagation: 'Orphan' });
      const references = async () =>
        (await cluster.get(KIND.ConfigMap, scene.key('one')))?.metadata.ownerReferences ?? [];
      await expect.poll(references, { timeout: 15_000 }).toEqual([]);
    });
  });
}
