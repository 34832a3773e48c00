import { expect, test } from 'vitest';
import { KIND } from '../../kube/kind.ts';
import { LeaseElection } from '../../kube/lease.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';

async function clusterWithNamespace(): Promise<MemoryCluster> {
  const cluster = new MemoryCluster();
  await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } });
  return cluster;
}

function candidate(cluster: MemoryCluster, identity: string): LeaseElection {
  const times = { durationMs: 400, renewDeadlineMs: 300, retryMs: 50 };
  return new LeaseElection({ cluster, namespace: 'n', name: 'l', identity, onChange: () => {}, ...times });
}

test('one of several leads; when it stops another one follows at once', async () => {
  const cluster = await clusterWithNamespace();
  const candidates = ['a', 'b', 'c'].map((identity) => candidate(cluster, identity));
  const leaders = () => candidates.filter((each) => each.isLeader);
  await expect.poll(() => leaders().length).toBe(1);
  const [first] = leaders();
  await first?.stop();
  await expect.poll(() => leaders().length, { timeout: 2_000 }).toBe(1);
  expect(leaders()[0]).not.toBe(first);
  await Promise.all(candidates.map((each) => each.stop()));
});

test('the lease of one that died is taken only after it ran out', async () => {
  const cluster = await clusterWithNamespace();
  await cluster.create(KIND.Lease, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace: 'n', name: 'l' },
    spec: { holderIdentity: 'dead', leaseDurationSeconds: 1, renewTime: '2000-01-01T00:00:00.000000Z' },
  });
  const started = performance.now();
  const heir = candidate(cluster, 'heir');
  await expect.poll(() => heir.isLeader, { timeout: 5_000, interval: 10 }).toBe(true);
  expect(performance.now() - started).toBeGreaterThan(900);
  await heir.stop();
});
