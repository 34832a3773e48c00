import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Cluster } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { LeaseElection, type LeaseOptions } from '../../kube/lease.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { breakable } from './broken-cluster.ts';

describe('leader election', () => {
  let cluster: MemoryCluster;

  beforeEach(async () => {
    cluster = new MemoryCluster();
    await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } });
  });

  function candidate(identity: string, options: Partial<LeaseOptions> = {}): LeaseElection {
    const times = { durationMs: 1_000, renewDeadlineMs: 400, retryMs: 50 };
    const onChange = () => {};
    const election = new LeaseElection({
      cluster,
      namespace: 'n',
      name: 'l',
      identity,
      onChange,
      ...times,
      ...options,
    });
    onTestFinished(() => election.stop());
    return election;
  }

  const holder = async () => {
    const lease = await cluster.get(KIND.Lease, { namespace: 'n', name: 'l' });
    return (lease?.spec as { holderIdentity?: string } | undefined)?.holderIdentity;
  };

  test('one of several leads; when it stops another one follows at once', async () => {
    const candidates = ['a', 'b', 'c'].map((identity) => candidate(identity));
    const leaders = () => candidates.filter((each) => each.isLeader);
    await expect.poll(() => leaders().length).toBe(1);
    const [first] = leaders();
    const stopped = performance.now();
    await first?.stop();
    await expect.poll(() => leaders().length, { interval: 10 }).toBe(1);
    expect(performance.now() - stopped).toBeLessThan(900);
    expect(leaders()[0]).not.toBe(first);
  });

  test('the lease of one that died is taken only after it ran out', async () => {
    await cluster.create(KIND.Lease, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: 'n', name: 'l' },
      spec: { holderIdentity: 'dead', leaseDurationSeconds: 1, renewTime: '2000-01-01T00:00:00.000000Z' },
    });
    const started = performance.now();
    const heir = candidate('heir');
    await expect.poll(() => heir.isLeader, { timeout: 5_000, interval: 10 }).toBe(true);
    expect(performance.now() - started).toBeGreaterThan(900);
  });

  test.each([
    ['keeps it waiting', () => new Promise<never>((_, reject) => setTimeout(reject, 700, new Error('late')))],
    ['refuses', () => Promise.reject(new Error('no'))],
  ])('a leader steps down before its lease runs out when the API server %s', async (_what, update) => {
    const { cluster: face, broken } = breakable(cluster);
    const errors: unknown[] = [];
    const changes: boolean[] = [];
    const cut = candidate('cut', {
      cluster: face,
      onChange: (leads) => changes.push(leads),
      onError: (error) => errors.push(error),
    });
    await expect.poll(() => cut.isLeader).toBe(true);
    broken.update = update as Cluster['update'];
    const heir = candidate('heir');
    await expect.poll(() => !cut.isLeader || heir.isLeader, { timeout: 3_000, interval: 5 }).toBe(true);
    expect([cut.isLeader, heir.isLeader]).toEqual([false, false]);
    await expect.poll(() => heir.isLeader, { timeout: 3_000 }).toBe(true);
    expect(cut.isLeader).toBe(false);
    expect(changes).toEqual([true, false]);
    expect(errors.length).toBeGreaterThan(0);
  });

  test('there are never two leaders while candidates come and go', async () => {
    let leading = 0;
    let most = 0;
    let changes = 0;
    const onChange = (leads: boolean) => {
      leading += leads ? 1 : -1;
      changes += 1;
      most = Math.max(most, leading);
    };
    const start = (i: number) => candidate(`c${i}`, { onChange, retryMs: 5 });
    let candidates = [0, 1, 2, 3].map(start);
    for (let i = 4; i < 16; i++) {
      await expect.poll(() => leading, { interval: 1 }).toBe(1);
      const leader = candidates.find(({ isLeader }) => isLeader);
      await leader?.stop();
      candidates = [...candidates.filter((each) => each !== leader), start(i)];
    }
    expect(most).toBe(1);
    expect(changes).toBeGreaterThanOrEqual(24);
  });

  test('what the program does as a leader cannot end the election', async () => {
    const errors: unknown[] = [];
    const election = candidate('a', {
      onChange: () => {
        throw new Error('cannot lead');
      },
      onError: (error) => errors.push(error),
    });
    await expect.poll(() => errors).toEqual([new Error('cannot lead')]);
    await election.stop();
    expect(await holder()).toBe('');
  });
});
