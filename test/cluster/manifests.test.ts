import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { BREAK_GLASS_GROUP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { eventually } from './eventually.ts';
import { FaultScene } from './faults-scene.ts';
import { applyManifest, must, prepareManifest, rolledOut } from './install.ts';
import { losesNoReview } from './load.ts';
import { clusterTests } from './requirement.ts';
import { shell, sleeper } from './stand-in.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CURRENT = readFileSync(join(ROOT, 'manifests', 'install.yaml'), 'utf8');
const EARLIER = readFileSync(join(ROOT, 'test', 'fixtures', 'install-earlier.yaml'), 'utf8');

const NAMESPACE = ['-n', SYSTEM_NAMESPACE];
const DEPLOYMENT = 'deployment/kubesentry-webhook';
const BREAK_GLASS = ['--as=carol', `--as-group=${BREAK_GLASS_GROUP}`, '--as-group=system:masters'];
const miner = (namespace: string) =>
  shell(namespace, 'miner', '/opt/xmrig -o stratum+tcp://pool.example.com:3333');

const policy = {
  apiVersion: 'kubesentry.io/v1alpha1',
  kind: 'SentryPolicy',
  metadata: { name: 'from-before', namespace: SYSTEM_NAMESPACE },
  spec: { admission: { mode: 'enforce' } },
};

function idsOf(manifest: string): string[] {
  return parseAllDocuments(manifest).flatMap((document) => {
    const object = document.toJS() as KubeObject | null;
    return object ? [`${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`] : [];
  });
}

describe.skipIf(clusterTests.skipWithNode)('other manifests, with real pods', { timeout: 120_000 }, () => {
  let scene: FaultScene;
  beforeAll(async () => {
    scene = await FaultScene.open('manifests-test');
  }, 180_000);
  afterAll(() => scene?.close());

  const overlay = (name: string) => scene.kubectl('kustomize', join(ROOT, 'manifests', 'overlays', name));
  const leader = () =>
    scene.kubectl(
      'get',
      'lease',
      ...NAMESPACE,
      'kubesentry-webhook',
      '-o',
      'jsonpath={.spec.holderIdentity}',
    );
  const records = () =>
    scene.kubectl(
      'get',
      'quarantines,incidents,sentrypolicies',
      '-A',
      '--no-headers',
      '-o',
      'custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,FOR:.spec.namespace',
    );

  test('an upgrade keeps policies, incidents and what is contained, and loses no review', async () => {
    await scene.kubectl('delete', '-f', scene.installation.manifest, '--timeout=60s');
    await applyManifest(scene.cluster, EARLIER);
    await must(scene.cluster, ['apply', '-f', '-'], JSON.stringify(policy));
    await scene.populate('upgraded', sleeper('upgraded', 'web'));
    await scene.attack('upgraded', 'web');
    await eventually('quarantine', async () => (await scene.quarantines('upgraded'))[0]);
    const contained = () => scene.refusal(sleeper('upgraded', 'another'));
    await eventually('refusal', contained);
    const before = await records();
    expect(before).toMatch(/Quarantine .*upgraded/);
    expect(before).toMatch(/Incident .*upgraded/);

    let isOver = false;
    const holes: number[] = [];
    const watching = (async () => {
      for (let times = 0; !isOver; times++) if ((await contained()) === undefined) holes.push(times);
    })();
    await losesNoReview(scene, 'upgrading', async () => {
      await applyManifest(scene.cluster, CURRENT);
    });
    isOver = true;
    await watching;
    expect(holes).toEqual([]);

    expect(await records()).toBe(before);
    // The kinds of today take the objects of then.
    const all = 'quarantines,incidents,sentrypolicies,denials';
    await scene.kubectl('annotate', all, '-A', '--all', 'seen=1', '--dry-run=server', ...BREAK_GLASS);
    expect((await scene.contained('upgraded')).status?.detections).toMatchObject([{ rule: 'miner-name' }]);
    // What a manifest does not name any more would stay for ever.
    const today = new Set(idsOf(CURRENT));
    expect(idsOf(EARLIER).filter((id) => !today.has(id))).toEqual([]);
  });

  test('high availability: one replica a node, a rollout that loses no review, and a budget', async () => {
    await must(scene.cluster, [
      'apply',
      '--server-side',
      '-f',
      prepareManifest(scene.cluster, await overlay('high-availability')),
    ]);
    await eventually('replica that finds no node of its own', async () =>
      (
        await scene.kubectl(
          'get',
          'pods',
          ...NAMESPACE,
          '-o',
          'jsonpath={.items[*].status.conditions[*].message}',
        )
      ).includes('anti-affinity'),
    );
    // There is one node. The rest of the overlay is looked at without the rule that one is too few for.
    const withoutRule = JSON.stringify([{ op: 'remove', path: '/spec/template/spec/affinity' }]);
    await losesNoReview(scene, 'spreading', async () => {
      await scene.kubectl('patch', ...NAMESPACE, DEPLOYMENT, '--type=json', '-p', withoutRule);
      await rolledOut(scene.cluster);
    });
    // The budget counts replicas of before until they say that they stop, and one of them may still lead.
    const allowed = ['-o', 'jsonpath={.status.expectedPods} {.status.disruptionsAllowed}'];
    const budget = () => scene.kubectl('get', 'pdb', ...NAMESPACE, 'kubesentry-webhook', ...allowed);
    const serving = async () =>
      (await scene.productPods('webhook'))
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .map(({ metadata }) => metadata.name);
    const first = await eventually('leader among three', async () => {
      const [names, name] = [await serving(), await leader()];
      return names.length === 3 && names.includes(name) && (await budget()) === '3 1' ? name : undefined;
    });
    // Chosen beforehand: the replica that takes the first one's place may be evicted as long as it is pending.
    const [next = ''] = (await serving()).filter((name) => name !== first);
    await losesNoReview(scene, 'electing', async () => {
      // As a drained node asks.
      expect(await evict(first)).toBe(201);
      expect(await evict(next)).toBe(429);
      await eventually('another leader', async () => ![first, ''].includes(await leader()));
    });
    await scene.populate('under-another', sleeper('under-another', 'web'));
    await scene.attack('under-another', 'web');
    await scene.contained('under-another');
  });

  test('detect-only: an attack is reported, and nothing is killed, contained or refused', async () => {
    await scene.kubectl('delete', 'quarantines', '--all', ...BREAK_GLASS);
    await scene.kubectl('delete', 'sentrypolicy', ...NAMESPACE, 'from-before');
    const manifest = await applyManifest(scene.cluster, await overlay('detect-only'));
    await scene.populate('only-watched', sleeper('only-watched', 'web'));
    await eventually(
      'admission of a miner',
      async () => (await scene.refusal(miner('only-watched'))) === undefined,
    );
    await scene.attack('only-watched', 'web');
    const [incident] = await eventually('incident', async () => {
      const found = await scene.incidents('only-watched');
      return found[0]?.status?.detections.length ? found : undefined;
    });
    expect(incident?.status?.detections).toMatchObject([{ rule: 'miner-name', action: 'none' }]);
    expect(incident?.status?.phase).not.toBe('Contained');
    expect(await scene.quarantines('only-watched')).toEqual([]);
    expect(await scene.refusal(sleeper('only-watched', 'another'))).toBeUndefined();
    await scene.type('only-watched', 'web', 'pidof xmrig > /tmp/alive');
    const pid = scene.pidOf(await scene.pod('only-watched', 'web')) as number;
    expect(scene.received(pid, '/tmp/alive')).toBeGreaterThan(0);

    // The kinds go first, and their objects with them.
    await scene.kubectl('delete', '-f', manifest, '--ignore-not-found', '--timeout=60s');
    const kinds =
      'ns,crd,clusterrole,clusterrolebinding,validatingwebhookconfiguration,validatingadmissionpolicy';
    expect(
      await scene.kubectl('get', `${kinds},validatingadmissionpolicybinding`, '-o', 'name'),
    ).not.toContain('kubesentry');
  });

  async function evict(name: string): Promise<number> {
    const metadata = { name, namespace: SYSTEM_NAMESPACE };
    const path = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/pods/${name}/eviction`;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata };
    return (await scene.api.ask('POST', path, eviction)).status;
  }
});
