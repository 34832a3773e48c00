import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/object.ts';
import type { Stored } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { Evidence } from '../../webhook/response/playbook/evidence.ts';
import { workloadOf } from './harness.ts';

const KEY = { namespace: 'kubesentry-system', name: 'x-evidence' };
let cluster: MemoryCluster;
beforeEach(async () => {
  cluster = new MemoryCluster();
  const metadata = { name: KEY.namespace };
  await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata });
});

/** A manifest with so many letters that do not compress, in so many texts. */
function noise(name: string, letters: number, texts = 1): Stored {
  const args = Array.from({ length: texts }, () => randomBytes(letters / 2 / texts).toString('hex'));
  const object = workloadOf('Deployment', name, 'shop', { args });
  return { ...object, metadata: { ...object.metadata, uid: `uid-${name}` } } as Stored;
}

async function kept(): Promise<Record<string, KubeObject & { keptInPart?: string }>> {
  const { data = {} } = (await cluster.get(KIND.Secret, KEY)) as { data?: Record<string, string> };
  const size = Object.values(data).reduce((sum, text) => sum + Buffer.from(text, 'base64').length, 0);
  expect(size).toBeLessThan(1024 * 1024);
  return Object.fromEntries(
    Object.entries(data).map(([key, text]) => [
      key.split('.')[1],
      JSON.parse(gunzipSync(Buffer.from(text, 'base64')).toString()),
    ]),
  );
}

describe('what is kept of what the response deletes', () => {
  it('is the manifest, so that it can be created again', async () => {
    const web = workloadOf('Deployment', 'web', 'shop');
    const uid = { uid: 'u', resourceVersion: '7' };
    const stored = { ...web, metadata: { ...web.metadata, ...uid }, status: { replicas: 3 } } as Stored;
    await new Evidence(cluster, { name: 'x' }).keep(stored);
    expect((await kept()).web).toEqual(web);
  });

  it('finds room however large manifests are, or an attacker could not be ended', async () => {
    const evidence = new Evidence(cluster, { name: 'x' });
    await evidence.keep(noise('small', 1024));
    await evidence.keep(noise('large', 1_200_000));
    await evidence.keep(noise('huge', 1_200_000));
    await evidence.keep(noise('crumbs', 900_000, 20_000));
    const objects = await kept();
    expect(objects.small?.keptInPart).toBeUndefined();
    expect(objects.large?.keptInPart).toBeUndefined();
    expect(objects.huge?.keptInPart).toMatch(
      /^texts cut; the whole manifest has \d+ letters, sha256 [0-9a-f]{64}$/,
    );
    expect(objects.huge?.spec).toMatchObject({ template: { spec: { containers: [{ name: 'main' }] } } });
    expect(objects.crumbs?.keptInPart).toMatch(/^all but its name is left out; /);
    expect(await evidence.list()).toHaveLength(4);
  });
});
