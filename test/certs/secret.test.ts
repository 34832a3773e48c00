import { beforeEach, describe, expect, test } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import { checkServingPair } from '../../certs/pair.ts';
import { ensureCertificates } from '../../certs/secret.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { breakable } from '../kube/broken-cluster.ts';

const KEY = { namespace: 'kubesentry-system', name: 'kubesentry-tls' };
const HOSTS = ['kubesentry-webhook.kubesentry-system.svc'];
const DAY_MS = 86_400_000;

describe('the certificate Secret', () => {
  let cluster: MemoryCluster;
  beforeEach(async () => {
    cluster = new MemoryCluster();
    await cluster.create(KIND.Namespace, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: KEY.namespace },
    });
  });

  test('replicas that start at the same time agree on one', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => ensureCertificates(cluster, KEY, HOSTS)));
    expect(new Set(all.map(({ serving }) => serving.certificate)).size).toBe(1);
  });

  test('what is good stays as it is', async () => {
    const first = await ensureCertificates(cluster, KEY, HOSTS);
    expect((await ensureCertificates(cluster, KEY, HOSTS)).serving).toEqual(first.serving);
  });

  test('near its end only the serving certificate is renewed', async () => {
    const first = await ensureCertificates(cluster, KEY, HOSTS);
    const later = await ensureCertificates(cluster, KEY, HOSTS, { now: () => Date.now() + 70 * DAY_MS });
    expect(later.authority).toEqual(first.authority);
    expect(later.serving).not.toEqual(first.serving);
  });

  test('a webhook that denies writing with a conflict does not keep it trying for ever', async () => {
    const conflict = new KubesentryError('KUBE_CONFLICT', 'modified');
    const { cluster: face, broken } = breakable(cluster);
    let attempts = 0;
    broken.create = () => {
      attempts += 1;
      return Promise.reject(conflict);
    };
    await expect(ensureCertificates(face, KEY, HOSTS)).rejects.toBe(conflict);
    expect(attempts).toBe(10);
  });

  test.each([
    ['corrupt', { 'tls.crt': Buffer.from('junk').toString('base64') }, 'is no certificate'],
    ['incomplete', { 'ca.key': null }, 'has another private key'],
    ['headless', { 'ca.crt': null }, 'is no certificate'],
    ['empty', { 'ca.crt': null, 'ca.key': null, 'tls.crt': null, 'tls.key': null }, 'is no certificate'],
    ['mismatched', { 'ca.key': Buffer.from('junk').toString('base64') }, 'has another private key'],
  ])('a %s Secret is repaired, and the reason is told', async (_name, data, reason) => {
    await ensureCertificates(cluster, KEY, HOSTS);
    await cluster.patch(KIND.Secret, KEY, { data });
    const heard: string[] = [];
    const repaired = await ensureCertificates(cluster, KEY, HOSTS, { onRepair: (why) => heard.push(why) });
    expect(heard).toEqual([expect.stringContaining(reason)]);
    checkServingPair(repaired.caBundle, repaired.serving, HOSTS, Date.now());
  });
});
