import { describe, expect, it } from 'vitest';
import { Store } from '../../kube/store.ts';

const object = (resourceVersion: string, uid = 'one') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', namespace: 'shop', uid, resourceVersion },
});
const key = { name: 'a', namespace: 'shop' };

function store() {
  const heard: string[] = [];
  const made = new Store<ReturnType<typeof object>>((error) => {
    throw error;
  });
  made.listen({
    onSet: ({ metadata }) => heard.push(metadata.resourceVersion),
    onDelete: () => heard.push('gone'),
  });
  return { made, heard };
}

describe('a store', () => {
  it('does not go back to an older version than the one that was noted', () => {
    const { made, heard } = store();
    made.set(object('9'));
    made.note(object('12'));
    made.set(object('10'));
    made.set(object('12'));
    expect(heard).toEqual(['9', '12', '12']);
  });

  it('takes another object of the same name, whatever its version', () => {
    const { made } = store();
    made.set(object('12'));
    made.set(object('3', 'two'));
    expect(made.get(key)?.metadata.uid).toBe('two');
  });

  it('does not bring back what was deleted while the answer to a write was under way', () => {
    const { made, heard } = store();
    made.set(object('9'));
    made.delete(key);
    made.note(object('12'));
    expect(made.get(key)).toBeUndefined();
    expect(heard).toEqual(['9', 'gone']);
  });

  it('goes by a complete list, also where versions have started over', () => {
    const { made } = store();
    made.set(object('12'));
    made.replace([object('3')]);
    expect(made.get(key)?.metadata.resourceVersion).toBe('3');
  });
});
