import { describe, expect, test } from 'vitest';
import { KIND } from '../../../kube/kind.ts';
import type { Scene } from './scene.ts';

export function applyContract(scene: Scene): void {
  describe('apply', () => {
    /** What is in the ConfigMap after `manager` applied `data`. */
    async function apply(manager: string, data: Record<string, string>, labels = {}) {
      const object = scene.configMap('a', data, labels);
      const applied = await scene.cluster.apply(KIND.ConfigMap, object, { fieldManager: manager });
      return applied.data ?? {};
    }

    test('creates, changes, and takes back what is no longer applied', async () => {
      expect(await apply('m', { mine: '1', old: '1' })).toEqual({ mine: '1', old: '1' });
      await scene.cluster.patch(KIND.ConfigMap, scene.key('a'), { data: { theirs: '1' } });
      expect(await apply('m', { mine: '2' })).toEqual({ mine: '2', theirs: '1' });
      expect(await apply('m', {})).toEqual({ theirs: '1' });
    });

    test('labels go like any other field, and those of others stay', async () => {
      await apply('m', {}, { mine: '1', old: '1' });
      const labels = { theirs: '1' };
      await scene.cluster.patch(KIND.ConfigMap, scene.key('a'), { metadata: { labels } });
      await apply('m', {}, { mine: '2' });
      const object = await scene.cluster.get(KIND.ConfigMap, scene.key('a'));
      expect(object?.metadata.labels).toEqual({ mine: '2', theirs: '1' });
    });

    test('takes over the fields of another manager', async () => {
      await apply('first', { x: 'first' });
      expect(await apply('second', { x: 'second' })).toEqual({ x: 'second' });
      expect(await apply('first', {})).toEqual({ x: 'second' });
    });

    test('what two managers apply alike stays until both have let go', async () => {
      await apply('first', { x: '1' });
      await apply('second', { x: '1', y: '1' });
      expect(await apply('first', {})).toEqual({ x: '1', y: '1' });
      expect(await apply('second', { y: '1' })).toEqual({ y: '1' });
    });

    test('what somebody wrote over a field stays when the field is no longer applied', async () => {
      await apply('m', { x: '1' });
      await scene.cluster.patch(KIND.ConfigMap, scene.key('a'), { data: { x: '2' } });
      expect(await apply('m', { y: '1' })).toEqual({ x: '2', y: '1' });
    });

    test('what was created otherwise stays when it is no longer applied', async () => {
      await scene.cluster.create(KIND.ConfigMap, scene.configMap('a', { x: '1' }));
      await apply('m', { x: '1', y: '1' });
      expect(await apply('m', {})).toEqual({ x: '1' });
    });

    test('knows nothing of an earlier object of that name', async () => {
      await apply('m', { x: '1' });
      await scene.cluster.delete(KIND.ConfigMap, scene.key('a'));
      await scene.cluster.create(KIND.ConfigMap, scene.configMap('a', { x: '1' }));
      expect(await apply('m', { y: '1' })).toEqual({ x: '1', y: '1' });
    });

    test('the same again makes no new version', async () => {
      const { cluster } = scene;
      const first = await cluster.apply(KIND.ConfigMap, scene.configMap('a', { x: '1' }));
      const second = await cluster.apply(KIND.ConfigMap, scene.configMap('a', { x: '1' }));
      expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    });
  });
}
