import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BREAK_GLASS_GROUP, LABEL, QUARANTINE_NETWORK_POLICY, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { check } from '../../cli/install/check.ts';
import { install } from '../../cli/install/install.ts';
import { nameOf, readManifest } from '../../cli/install/manifest.ts';
import { uninstall } from '../../cli/install/uninstall.ts';
import type { HttpCluster } from '../../kube/http/cluster.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';
import { webhookConfiguration } from '../../webhook/configuration.ts';
import { publish } from '../../webhook/publish.ts';
import { type RunningCluster, startCluster } from './cluster.ts';
import { must } from './install.ts';
import { clusterTests } from './requirement.ts';

/** The manifest as it was some time ago, for upgrades. */
const EARLIER = join(import.meta.dirname, '..', 'fixtures', 'install-earlier.yaml');
const MANIFEST = join(import.meta.dirname, '..', '..', 'manifests', 'install.yaml');
const SERVICE = { service: { name: 'kubesentry-webhook', namespace: SYSTEM_NAMESPACE } };
const CA = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';

const BREAK_GLASS = ['--as=carol', `--as-group=${BREAK_GLASS_GROUP}`, '--as-group=system:masters'];

const KINDS = 'quarantines,incidents,sentrypolicies';
const record = (kind: string, spec: object, namespace?: string) => ({
  apiVersion: 'kubesentry.io/v1alpha1',
  kind,
  metadata: { name: 'kept', ...(namespace && { namespace }) },
  spec,
});
const RECORDS = [
  record('Quarantine', { namespace: 'held', bans: [], requestedBy: 'carol', reason: 'kept' }),
  record('Incident', { namespace: 'held', workload: { kind: 'Deployment', name: 'web' } }),
  record('SentryPolicy', { admission: { mode: 'enforce' } }, SYSTEM_NAMESPACE),
];
const listOf = (items: readonly object[]) => ({ apiVersion: 'v1', kind: 'List', items });

/** Nobody could run them here: there is no node. */
function withoutReplicas(manifest: readonly KubeObject[]): KubeObject[] {
  return manifest.map((object) =>
    object.kind === 'Deployment' ? { ...object, spec: { ...(object.spec as object), replicas: 0 } } : object,
  );
}

describe.skipIf(clusterTests.skip)('kubesentry install', { timeout: 60_000 }, () => {
  let server: RunningCluster;
  let admin: HttpCluster;
  let manifest: KubeObject[];
  let before: string;

  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const patienceMs = 30_000;
  const looking = (cluster = admin) => check({ cluster, manifest });
  /** Everything that an installation could leave behind. */
  const everything = () =>
    must(server, [
      'get',
      'ns,crd,clusterrole,clusterrolebinding,validatingwebhookconfiguration,validatingadmissionpolicy,' +
        'validatingadmissionpolicybinding,networkpolicy,deployment,daemonset,service,pdb,role,rolebinding,secret',
      '-A',
      '-o',
      'name',
    ]);
  const caBundles = async () => {
    const found = await admin.get(KIND.ValidatingWebhookConfiguration, { name: 'kubesentry' });
    const webhooks = (found?.webhooks ?? []) as { clientConfig: { caBundle?: string } }[];
    return webhooks.map(({ clientConfig }) => clientConfig.caBundle);
  };

  beforeAll(async () => {
    server = await startCluster({ name: 'installation-test' });
    admin = await connectCluster({ kubeconfig: server.kubeconfig });
    manifest = withoutReplicas(await readManifest(undefined));
    before = await everything();
  }, 60_000);
  afterAll(async () => {
    await admin?.close();
    await server?.stop();
  });

  test('--check of an empty cluster says line by line what it supports, and changes nothing', async () => {
    const { table, isFine } = await looking();
    expect(table).toMatch(/API server +ok +v1\.\d+/);
    expect(table).toMatch(/admission policies +ok/);
    expect(table).toMatch(/your rights +ok/);
    expect(table).toMatch(/what is there +ok +nothing; .* would be new/);
    expect(table).toMatch(/images +look +.*of no registry/);
    expect(table).toMatch(/network +unknown/);
    expect(isFine).toBe(true);
    expect(await everything()).toBe(before);
  });

  test('--check names what the caller may not do', async () => {
    const role = ['create', 'clusterrolebinding', 'reader', '--clusterrole=view', '--user=reader'];
    await must(server, role);
    const reader = await connectCluster({ kubeconfig: server.kubeconfig, as: 'reader' });
    const { table, isFine } = await looking(reader);
    await reader.close();
    await must(server, ['delete', 'clusterrolebinding', 'reader']);
    expect(table).toMatch(/your rights +WRONG +you may not create namespaces, patch namespaces/);
    expect(table).toMatch(/nodes +unknown/);
    expect(isFine).toBe(false);
  });

  test('--check names a node whose kernel is too old', async () => {
    const nodeInfo = { kernelVersion: '4.19.0-27', architecture: 'amd64', operatingSystem: 'linux' };
    await admin.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'old' } });
    await admin.patch(KIND.Node, { name: 'old' }, { status: { nodeInfo } }, { subresource: 'status' });
    expect((await looking()).table).toMatch(/nodes +WRONG +.*old \(kernel 4\.19\.0-27, older than 5\.10\)/);
    await admin.delete(KIND.Node, { name: 'old' });
  });

  test('upgrades what an earlier manifest installed, and keeps records and CA', async () => {
    await must(server, ['apply', '--server-side', '-f', EARLIER]);
    await must(server, ['wait', '--for=condition=Established', '--timeout=15s', 'crd', '--all']);
    // The webhook of that time owned the whole configuration.
    await admin.apply(KIND.ValidatingWebhookConfiguration, webhookConfiguration(SERVICE, CA));
    // No webhook answers here, and the entry that guards them fails closed: as whoever may overrule.
    await must(server, ['apply', '-f', '-', ...BREAK_GLASS], JSON.stringify(listOf(RECORDS)));
    await must(server, ['create', 'namespace', 'held']);
    await must(server, ['label', 'namespace', 'held', `${LABEL.quarantine}=kept`, ...BREAK_GLASS]);
    const kept = () => must(server, ['get', KINDS, '-A', '-o', 'custom-columns=A:.metadata.uid,B:.spec']);
    const records = await kept();
    // A new replica may come up before the new manifest is there, whose entries are more.
    const { webhooks } = webhookConfiguration(SERVICE, CA);
    const fewer = { webhooks: (webhooks as object[]).slice(0, 5) };
    await admin.patch(KIND.ValidatingWebhookConfiguration, { name: 'kubesentry' }, fewer);
    await publish(admin, CA, SERVICE);
    expect((await caBundles()).every((ca) => ca === Buffer.from(CA).toString('base64'))).toBe(true);
    expect((await looking()).table).toMatch(/what is there +look .*no replica of its webhook is ready/);

    await install({ cluster: admin, manifest, write, patienceMs });
    expect(lines).toContain(`Deployment ${SYSTEM_NAMESPACE}/kubesentry-webhook rolled out\n`);
    expect(await kept()).toBe(records);
    // The next time somebody may do it with kubectl.
    await must(server, ['apply', '--server-side', '-f', '-'], JSON.stringify(listOf(manifest)));
    const held = await admin.get(KIND.Namespace, { name: 'held' });
    expect(held?.metadata.labels?.[LABEL.quarantine]).toBe('kept');
    // The kinds of today take the objects of then.
    const touch = ['seen=1', '--all', '-A', '--dry-run=server', ...BREAK_GLASS];
    await must(server, ['annotate', KINDS, ...touch]);
    // What the manifest does not name any more would stay for ever.
    const names = new Set(manifest.map(nameOf));
    const earlier = await readManifest(EARLIER);
    expect(earlier.map(nameOf).filter((name) => !names.has(name))).toEqual([]);
    expect(new Set(await caBundles()).size).toBe(1);
    expect((await caBundles())[0]).toBeDefined();
    const role = await admin.get(KIND.ClusterRole, { name: 'kubesentry-webhook' });
    expect(role?.rules).toEqual(
      manifest.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === role?.metadata.name)
        ?.rules,
    );
  });

  test('uninstall ends what quarantines left, and leaves nothing behind', async () => {
    const denyAll = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: 'held', name: QUARANTINE_NETWORK_POLICY },
      spec: { podSelector: {}, policyTypes: ['Egress'] },
    };
    await must(server, ['apply', '-f', '-', ...BREAK_GLASS], JSON.stringify(denyAll));

    await uninstall({ cluster: admin, manifest, write, patienceMs });
    const held = await admin.get(KIND.Namespace, { name: 'held' });
    expect(Object.keys(held?.metadata.labels ?? {})).toEqual(['kubernetes.io/metadata.name']);
    await must(server, ['delete', 'namespace', 'held']);
    expect(await everything()).toBe(before);
    await uninstall({ cluster: admin, manifest, write, patienceMs });
  });

  test('what kubectl applied, kubectl upgrades and deletes', async () => {
    await must(server, ['apply', '--server-side', '-f', MANIFEST]);
    await publish(admin, CA, SERVICE);
    // The webhook owns nothing but the CA, so that the next manifest meets no conflict.
    const next = (await readManifest(MANIFEST)).map((object) =>
      object.kind === 'ValidatingWebhookConfiguration'
        ? {
            ...object,
            webhooks: (object.webhooks as object[]).map((each) => ({ ...each, timeoutSeconds: 2 })),
          }
        : object,
    );
    await must(server, ['apply', '--server-side', '-f', '-'], JSON.stringify(listOf(next)));
    expect((await caBundles()).every((ca) => ca === Buffer.from(CA).toString('base64'))).toBe(true);
    await must(server, ['delete', '-f', MANIFEST, '--timeout=60s']);
    expect(await everything()).toBe(before);
  });
});
