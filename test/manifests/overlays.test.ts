import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../api/object.ts';
import { type RunningCluster, startCluster } from '../cluster/cluster.ts';
import { clusterTests } from '../cluster/requirement.ts';

const MANIFESTS = join(import.meta.dirname, '..', '..', 'manifests');
const OVERLAYS = readdirSync(join(MANIFESTS, 'overlays'));

function kindOf(group: string, kind: string): object {
  const plural = `${kind.toLowerCase()}s`;
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
}

describe.skipIf(clusterTests.skip)('kustomize', () => {
  let cluster: RunningCluster;
  beforeAll(async () => {
    cluster = await startCluster({ name: 'overlays-test' });
    // A dry run makes neither the namespace nor the kinds that the rest needs.
    for (const file of ['base/namespace.yaml', 'base/crds.yaml']) {
      const applied = await cluster.kubectl(['apply', '--server-side', '-f', join(MANIFESTS, file)]);
      expect(applied).toMatchObject({ status: 0 });
    }
    // Of cert-manager no more than that its kinds exist: what they mean is its own business.
    const foreign = ['Issuer', 'Certificate'].map((kind) => kindOf('cert-manager.io', kind));
    await cluster.kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: foreign }),
    );
    await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=15s', 'crd', '--all']);
  });
  afterAll(() => cluster?.stop());

  const build = async (folder: string) => {
    const { status, stdout, stderr } = await cluster.kubectl(['kustomize', join(MANIFESTS, folder)]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return parseAllDocuments(stdout).map((document) => document.toJS() as KubeObject);
  };
  const idOf = ({ apiVersion, kind, metadata }: KubeObject) =>
    `${apiVersion} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`;

  test('the base is what install.yaml has', async () => {
    const { stdout } = await cluster.kubectl([
      'create',
      '--dry-run=client',
      '-o',
      'yaml',
      '-f',
      join(MANIFESTS, 'install.yaml'),
    ]);
    const installed = parseAllDocuments(stdout).flatMap((document) => {
      const object = document.toJS() as KubeObject & { items?: KubeObject[] };
      return object.items ?? [object];
    });
    expect((await build('base')).map(idOf).sort()).toEqual(installed.map(idOf).sort());
  });

  test.each(OVERLAYS)('the API server takes the overlay %s', async (overlay) => {
    const folder = join(MANIFESTS, 'overlays', overlay);
    const { status, stderr } = await cluster.kubectl([
      'apply',
      '--server-side',
      '--dry-run=server',
      '-k',
      folder,
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('detect-only switches every effect off', async () => {
    const policy = (await build('overlays/detect-only')).find(({ kind }) => kind === 'SentryPolicy');
    expect(policy?.spec).toEqual({
      admission: { mode: 'audit' },
      response: { quarantine: 'off', steps: { terminate: 'off', revoke: 'off' } },
      runtime: { mode: 'detect' },
    });
  });

  test('with cert-manager the webhook makes no certificate and leaves the caBundle alone', async () => {
    const objects = await build('overlays/cert-manager');
    const named = (kind: string, name: string) =>
      objects.find((object) => object.kind === kind && object.metadata.name === name);
    const deployment = named('Deployment', 'kubesentry-webhook')?.spec as unknown as {
      template: { spec: { containers: [{ args: string[]; volumeMounts: { mountPath: string }[] }] } };
    };
    const { args, volumeMounts } = deployment.template.spec.containers[0];
    expect(args).toEqual(['webhook', `--cert-dir=${volumeMounts[0]?.mountPath}`, '--no-register']);
    const serving = named('Certificate', 'kubesentry-webhook')?.spec as unknown as {
      secretName: string;
      dnsNames: string[];
    };
    const { secretName, dnsNames } = serving;
    expect(JSON.stringify(named('Deployment', 'kubesentry-webhook'))).toContain(secretName);
    expect(dnsNames).toContain('kubesentry-webhook.kubesentry-system.svc');
    expect(named('ValidatingWebhookConfiguration', 'kubesentry')?.metadata.annotations).toEqual({
      'cert-manager.io/inject-ca-from': 'kubesentry-system/kubesentry-webhook',
    });
  });
});
