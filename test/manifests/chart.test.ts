import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../api/object.ts';
import { findBinaries, findHelm } from '../cluster/binaries.ts';
import { type RunningCluster, startCluster } from '../cluster/cluster.ts';
import { clusterTests } from '../cluster/requirement.ts';

const MANIFESTS = join(import.meta.dirname, '..', '..', 'manifests');
const CHART = join(MANIFESTS, 'chart');
const INTO = ['--namespace', 'kubesentry-system'];

const helm = findHelm() ?? '';
if (helm === '') console.warn('Skipped: Helm is not built here: `npm run cluster -- build`.');

const template = (...args: string[]) =>
  parse(execFileSync(helm, ['template', 'kubesentry', CHART, ...INTO, ...args], { encoding: 'utf8' }));
const refusal = (...args: string[]) =>
  spawnSync(helm, ['template', 'kubesentry', CHART, ...args], { encoding: 'utf8' }).stderr;

function parse(yaml: string): KubeObject[] {
  return parseAllDocuments(yaml, { version: '1.1' })
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

const idOf = ({ kind, metadata }: KubeObject) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
const byId = (objects: readonly KubeObject[]) =>
  Object.fromEntries(objects.map((object) => [idOf(object), object]));

describe.skipIf(helm === '')('the Helm chart', () => {
  test('renders what install.yaml has, but for the namespace', () => {
    const installed = parse(readFileSync(join(MANIFESTS, 'install.yaml'), 'utf8'));
    const expected = installed.filter(({ kind }) => kind !== 'Namespace');
    expect(byId(template())).toEqual(byId(expected));
  });

  test('renders with cert-manager what the overlay has', () => {
    const [kubectl = '', ...words] = findBinaries()?.kubectl ?? [];
    const overlay = join(MANIFESTS, 'overlays', 'cert-manager');
    const built = parse(execFileSync(kubectl, [...words, 'kustomize', overlay], { encoding: 'utf8' }));
    const expected = built.filter(({ kind }) => kind !== 'Namespace');
    expect(byId(template('--set', 'certManager.enabled=true'))).toEqual(byId(expected));
  });

  test('mounts what audit and cert-manager need side by side', () => {
    const objects = byId(template('--set', 'certManager.enabled=true,audit.enabled=true'));
    const volumes = [{ name: 'audit' }, { name: 'audit-token' }, { name: 'tls' }];
    expect(objects['Deployment kubesentry-system/kubesentry-webhook']).toMatchObject({
      spec: { template: { spec: { volumes, containers: [{ volumeMounts: volumes }] } } },
    });
  });

  test('has no complaint of helm lint', () => {
    const { status, stdout } = spawnSync(helm, ['lint', '--strict', CHART, ...INTO], { encoding: 'utf8' });
    expect({ status, warnings: stdout.includes('[WARNING]') }).toEqual({ status: 0, warnings: false });
  });

  test('takes its values', () => {
    const values = {
      webhook: { replicas: 3, image: 'registry.example.com/webhook:1', extraArgs: ['--log-level', 'debug'] },
      agent: { tolerations: [{ key: 'gpu', operator: 'Exists' }] },
      audit: { enabled: true },
      alerts: { falco: ['http://sidekick:2801'] },
    };
    const objects = byId(
      template(
        '--set-json',
        `${Object.entries(values).map(([key, value]) => `${key}=${JSON.stringify(value)}`)}`,
      ),
    );
    const webhook = objects['Deployment kubesentry-system/kubesentry-webhook'];
    expect(webhook).toMatchObject({
      spec: {
        replicas: 3,
        template: {
          spec: {
            containers: [
              {
                image: 'registry.example.com/webhook:1',
                args: [
                  'webhook',
                  '--audit-db=/var/lib/kubesentry/audit.db',
                  '--audit-token-file=/var/run/secrets/kubesentry-audit/token',
                  '--alert-url=http://sidekick:2801',
                  '--log-level',
                  'debug',
                ],
              },
            ],
            volumes: [{ name: 'audit' }, { name: 'audit-token', secret: { secretName: 'kubesentry-audit' } }],
          },
        },
      },
    });
    expect(objects['DaemonSet kubesentry-system/kubesentry-agent']).toMatchObject({
      spec: { template: { spec: { tolerations: [{ key: 'gpu', operator: 'Exists' }] } } },
    });
  });

  test('refuses another namespace, and a value that nobody reads', () => {
    expect(refusal('--namespace', 'default')).toContain(
      'Kubesentry lives in the namespace kubesentry-system',
    );
    expect(refusal(...INTO, '--set', 'webhook.replica=3')).toContain("'replica' not allowed");
  });

  describe.skipIf(clusterTests.skip)('on a real API server', () => {
    let cluster: RunningCluster;
    beforeAll(async () => {
      cluster = await startCluster({ name: 'chart-test' });
      const namespace = join(MANIFESTS, 'base', 'namespace.yaml');
      expect(await cluster.kubectl(['apply', '-f', namespace])).toMatchObject({ status: 0 });
    });
    afterAll(() => cluster?.stop());

    const run = (command: string, ...args: string[]) =>
      spawnSync(helm, [command, 'kubesentry', ...args, ...INTO, '--kubeconfig', cluster.kubeconfig], {
        encoding: 'utf8',
      });
    const ours = async () => {
      const kinds =
        'crd,clusterrole,clusterrolebinding,validatingwebhookconfiguration,validatingadmissionpolicy,' +
        'validatingadmissionpolicybinding';
      const { stdout } = await cluster.kubectl(['get', kinds, '-o', 'name']);
      return stdout.split('\n').filter((name) => name.includes('kubesentry'));
    };

    test('it installs with a policy, upgrades, and leaves nothing behind', async () => {
      const policy = ['--set-json', 'policy={"admission":{"mode":"audit"}}'];
      expect(run('install', CHART, ...policy)).toMatchObject({ status: 0 });
      const mode = async () =>
        (
          await cluster.kubectl([
            'get',
            'sentrypolicy/chart',
            '-n',
            'kubesentry-system',
            '-o',
            'jsonpath={.spec.admission.mode}',
          ])
        ).stdout;
      expect(await mode()).toBe('audit');
      expect((await ours()).length).toBeGreaterThan(10);

      expect(run('upgrade', CHART, '--set-json', 'policy={"admission":{"mode":"warn"}}')).toMatchObject({
        status: 0,
      });
      expect(await mode()).toBe('warn');

      expect(run('uninstall')).toMatchObject({ status: 0 });
      await expect.poll(ours, { timeout: 15_000 }).toEqual([]);
      const left = await cluster.kubectl(['get', 'deploy,ds,svc,cm,sa', ...INTO, '-o', 'name']);
      expect(left.stdout.split('\n').filter((name) => name.includes('kubesentry'))).toEqual([]);
    });
  });
});
