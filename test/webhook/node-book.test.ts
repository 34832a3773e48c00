import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { NODES_CONFIG_MAP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { NodeState } from '../../api/node-state.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { NodeBook } from '../../webhook/intake/node-book.ts';

const WELL: NodeState = {
  version: '1',
  abilities: [{ name: 'exec', state: 'on', detail: 'programs that are started' }],
  egressCut: [],
  egressOpen: [],
  lost: { 'ring/exec': 0 },
  habits: [],
};
const habit = (seconds: number, cpus = 0.2) => ({ workload: 'shop/Deployment/web/main', cpus, seconds });

describe('what agents say of their nodes', () => {
  let cluster: MemoryCluster;
  let time: Date;
  const replica = () => new NodeBook({ cluster, clock: () => time, log: pino({ level: 'silent' }) });
  const kept = async () => {
    const key = { namespace: SYSTEM_NAMESPACE, name: NODES_CONFIG_MAP };
    const { data } = (await cluster.get(KIND.ConfigMap, key)) as { data?: Record<string, string> };
    return Object.fromEntries(Object.entries(data ?? {}).map(([node, text]) => [node, JSON.parse(text)]));
  };

  beforeEach(async () => {
    cluster = new MemoryCluster();
    time = new Date('2026-01-01T00:00:00Z');
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM_NAMESPACE } };
    await cluster.create(KIND.Namespace, namespace);
  });

  it('is kept beside what other replicas keep, with what is missing and lost', async () => {
    const [one, two] = [replica(), replica()];
    one.note('node-1', WELL);
    two.note('node-2', {
      ...WELL,
      abilities: [{ name: 'fpu', state: 'off', detail: 'RandomX; without on_fpu_saved: ESRCH' }],
      lost: { 'ring/exec': 3 },
    });
    await one.keep();
    await two.keep();
    expect(await kept()).toMatchObject({
      'node-1': { missing: [], lost: {} },
      'node-2': {
        missing: [{ name: 'fpu', detail: expect.stringContaining('ESRCH') }],
        lost: { 'ring/exec': 3 },
      },
    });
  });

  it('forgets a node that has been silent for a day', async () => {
    const book = replica();
    book.note('node-1', WELL);
    await book.keep();
    time = new Date('2026-01-02T12:00:00Z');
    book.note('node-2', WELL);
    await book.keep();
    expect(Object.keys(await kept())).toEqual(['node-2']);
  });

  it('gives the habit of a workload to a node that has not watched it, also after every replica was replaced', async () => {
    const before = replica();
    expect(before.note('node-1', { ...WELL, habits: [habit(3600)] })).toEqual([]);
    await before.close();
    const after = replica();
    await after.keep();
    expect(after.note('node-2', { ...WELL, habits: [habit(0, 0)] })).toEqual([habit(3600)]);
    expect(after.note('node-2', { ...WELL, habits: [habit(7200, 0.4)] })).toEqual([]);
    expect(after.note('node-3', { ...WELL, habits: [habit(60, 2)] })).toEqual([habit(7200, 0.4)]);
  });
});
