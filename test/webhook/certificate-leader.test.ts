import { expect, test } from 'vitest';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { issueServingPair, LIFETIME_DAYS, makeAuthority } from '../../certs/authority.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { certificateFromSecret } from '../../webhook/certificate-sources.ts';
import { eventually, log } from './harness.ts';

const SECRET = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook-tls' };
const HOSTS = ['127.0.0.1'];
const DAY_MS = 86_400_000;

async function emptyCluster(): Promise<MemoryCluster> {
  const cluster = new MemoryCluster();
  const metadata = { name: SYSTEM_NAMESPACE };
  await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata });
  return cluster;
}

/** A Secret whose serving certificate is good, and due for renewal. */
async function dueSecret(cluster: MemoryCluster): Promise<string> {
  const authority = await makeAuthority();
  const made = Date.now() - (LIFETIME_DAYS.serving - 5) * DAY_MS;
  const serving = await issueServingPair(authority, HOSTS, made);
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  await cluster.create(KIND.Secret, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: SECRET,
    data: {
      'tls.crt': base64(serving.certificate),
      'tls.key': base64(serving.key),
      'ca.crt': base64(authority.certificate),
      'ca.key': base64(authority.key),
    },
  });
  return serving.certificate;
}

const shownIn = async (cluster: MemoryCluster) => {
  const { data } = (await cluster.get(KIND.Secret, SECRET)) as unknown as { data: Record<string, string> };
  return Buffer.from(data['tls.crt'] ?? '', 'base64').toString();
};

test('a certificate that is due is renewed by the leader, and by nobody else', async () => {
  const cluster = await emptyCluster();
  const before = await dueSecret(cluster);
  const follower = await certificateFromSecret(cluster, SECRET, HOSTS, log);
  const leader = await certificateFromSecret(cluster, SECRET, HOSTS, log);
  try {
    for (const replica of [follower, leader]) await replica.reload();
    expect(follower.current.cert).toBe(before);
    expect(await shownIn(cluster)).toBe(before);

    leader.lead(true);
    await eventually(() => leader.current.cert !== before || undefined, 'renewal');
    expect(await shownIn(cluster)).toBe(leader.current.cert);
    expect(follower.current.cert).toBe(before);
    await follower.reload();
    expect(follower.current).toEqual(leader.current);
  } finally {
    follower.close();
    leader.close();
  }
});

test('who leads no more renews no more', async () => {
  const cluster = await emptyCluster();
  const replica = await certificateFromSecret(cluster, SECRET, HOSTS, log);
  try {
    replica.lead(true);
    replica.lead(false);
    await replica.reload();
    await cluster.delete(KIND.Secret, SECRET);
    const before = await dueSecret(cluster);
    await replica.reload();
    expect(await shownIn(cluster)).toBe(before);
  } finally {
    replica.close();
  }
});

test('a Secret that became useless is repaired by the leader; the others go on with what they have', async () => {
  const cluster = await emptyCluster();
  const follower = await certificateFromSecret(cluster, SECRET, HOSTS, log);
  const leader = await certificateFromSecret(cluster, SECRET, HOSTS, log);
  try {
    const { cert } = follower.current;
    await cluster.patch(KIND.Secret, SECRET, { data: { 'tls.crt': Buffer.from('junk').toString('base64') } });
    await follower.reload();
    expect(follower.current.cert).toBe(cert);
    expect(await shownIn(cluster)).toBe('junk');
    leader.lead(true);
    await eventually(async () => (await shownIn(cluster)) !== 'junk' || undefined, 'repair');
  } finally {
    follower.close();
    leader.close();
  }
});

test('a replica that could not serve at all makes a certificate when it starts, leader or not', async () => {
  const cluster = await emptyCluster();
  await dueSecret(cluster);
  await cluster.patch(KIND.Secret, SECRET, { data: { 'tls.key': Buffer.from('junk').toString('base64') } });
  const replica = await certificateFromSecret(cluster, SECRET, HOSTS, log);
  replica.close();
  expect(await shownIn(cluster)).toBe(replica.current.cert);
});
