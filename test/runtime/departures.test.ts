import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CgroupTree } from '../../runtime/cgroup-tree.ts';
import { Containers } from '../../runtime/containers.ts';
import { Departures } from '../../runtime/departures.ts';
import { Pods } from '../../runtime/pods.ts';
import { ProcFs } from '../../runtime/proc-fs.ts';

const gone = (id: number, path = `/kubepods/pod${id}`) => ({ id, version: 2, path }) as const;

function departing(isThere: (path: string) => boolean = () => false) {
  const forgotten: [id: number, isGone: boolean][] = [];
  const departures = new Departures(isThere);
  departures.tell({ forget: ({ id }, isGone) => forgotten.push([id, isGone]) });
  return { departures, forgotten };
}

describe('Departures', () => {
  it('has a cgroup forgotten a minute after its end, since events of it may come late', () => {
    const { departures, forgotten } = departing();
    departures.add(gone(1), 1_000_002);
    departures.flush(1_059_000);
    expect(forgotten).toEqual([]);
    departures.flush(1_060_003);
    expect(forgotten).toEqual([[1, true]]);
    departures.flush(1_200_000);
    expect(forgotten).toHaveLength(1);
  });

  it('says so when another cgroup has the name by then: only the number is of the past', () => {
    const { departures, forgotten } = departing((path) => path === '/system.slice/cron.service');
    departures.add(gone(1, '/system.slice/cron.service'), 0);
    departures.flush(100_000);
    expect(forgotten).toEqual([[1, false]]);
  });

  it('does not wait for all when very many end at once', () => {
    const { departures, forgotten } = departing();
    for (let id = 0; id < 5000; id++) departures.add(gone(id), 0);
    expect(forgotten).toHaveLength(5000 - 4096);
    expect(forgotten[0]).toEqual([0, true]);
  });
});

describe('containers that are gone', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'kubesentry-departures-'));
  });
  afterAll(() => rmSync(root, { recursive: true }));

  it('are forgotten by the tables, and those that are there are the same as before', () => {
    const tree = new CgroupTree({ root, id: 0 });
    const containers = new Containers({ v2: tree, v1: undefined, pods: new Pods(), proc: new ProcFs() });
    const departures = new Departures((path) => path === '/kubepods/pod1/c');
    departures.tell(tree, containers);
    for (const id of [1, 2]) tree.add(id, `/kubepods/pod${id}/c`);
    const [first, second] = [1, 2].map((id) => containers.of(id, 0, 0));

    // Something below the first ended, and all of the second.
    for (const { id, path } of [gone(3, '/kubepods/pod1/c'), gone(2, '/kubepods/pod2/c')]) {
      tree.remove(id);
      departures.add(gone(id, path), 0);
    }
    expect(containers.of(2, 0, 0)).toBe(second);
    departures.flush(100_000);

    expect(tree.path(2)).toBeUndefined();
    expect(containers.of(1, 0, 0)).toBe(first);
    expect(containers.at('/kubepods/pod1/c')).toBe(first);
    expect(containers.at('/kubepods/pod2/c')).not.toBe(second);
  });
});
