import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CgroupTree } from '../../runtime/cgroup-tree.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'kubesentry-tree-'));
  mkdirSync(join(root, 'kubepods/pod1'), { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true }));

test('a cgroup that was removed is no longer listed; events about it that come late still find its path', () => {
  const tree = new CgroupTree({ root, id: 0 });
  const id = statSync(join(root, 'kubepods/pod1')).ino;
  expect([...tree.entries()].map(([, path]) => path)).toContain('/kubepods/pod1');

  tree.remove(id);

  expect([...tree.entries()].map(([, path]) => path)).not.toContain('/kubepods/pod1');
  expect(tree.path(id)).toBe('/kubepods/pod1');
});

test('pods that come and go leave nothing behind for ever', () => {
  const tree = new CgroupTree({ root, id: 0 });
  const known = [...tree.entries()].length;
  for (let id = 1_000_000; id < 1_010_000; id++) {
    tree.add(id, `/kubepods/pod${id}`);
    tree.remove(id);
  }
  expect([...tree.entries()]).toHaveLength(known);
  expect(tree.path(1_000_000)).toBeUndefined();
});

test('removals that nobody heard of do not fill the memory: the oldest is forgotten', () => {
  const tree = new CgroupTree({ root, id: 0 });
  for (let id = 1_000_000; id < 1_070_000; id++) tree.add(id, '/somewhere');
  expect([...tree.entries()]).toHaveLength(65_536);
  expect(tree.path(1_069_999)).toBe('/somewhere');
});
