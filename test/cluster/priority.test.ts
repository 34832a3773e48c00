import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningCluster, startCluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { must } from './install.ts';
import { clusterTests } from './requirement.ts';

const MANIFEST = join(import.meta.dirname, '..', '..', 'manifests', 'install.yaml');

/** As GKE has it: kubernetes.io/docs/concepts/policy/resource-quotas/#limit-priority-class-consumption-by-default */
const ADMISSION = {
  apiVersion: 'apiserver.config.k8s.io/v1',
  kind: 'AdmissionConfiguration',
  plugins: [
    {
      name: 'ResourceQuota',
      configuration: {
        apiVersion: 'apiserver.config.k8s.io/v1',
        kind: 'ResourceQuotaConfiguration',
        limitedResources: [
          {
            resource: 'pods',
            matchScopes: [
              {
                scopeName: 'PriorityClass',
                operator: 'In',
                values: ['system-node-critical', 'system-cluster-critical'],
              },
            ],
          },
        ],
      },
    },
  ],
};

const criticalPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'critical', namespace: 'default' },
  spec: {
    priorityClassName: 'system-cluster-critical',
    containers: [{ name: 'main', image: 'registry.example.com/app:1' }],
  },
};

describe.skipIf(clusterTests.skip)('a cluster that keeps the critical priorities to who has a quota', () => {
  let cluster: RunningCluster;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kubesentry-priority-'));
    const file = join(folder, 'admission.json');
    writeFileSync(file, JSON.stringify(ADMISSION));
    const flags = [`--admission-control-config-file=${file}`];
    cluster = await startCluster({ name: 'priority-test', flags });
  }, 60_000);
  afterAll(async () => {
    await cluster?.stop();
    rmSync(folder, { recursive: true });
  });

  test('refuses them to others', async () => {
    const { stderr } = await cluster.kubectl(
      ['create', '--dry-run=server', '-f', '-'],
      JSON.stringify(criticalPod),
    );
    expect(stderr).toContain('insufficient quota to match these scopes');
  });

  test('makes the pods of the manifest', async () => {
    await must(cluster, ['apply', '--server-side', '-f', '-'], readFileSync(MANIFEST, 'utf8'));
    const made = ['get', 'deployment', '-n', 'kubesentry-system', 'kubesentry-webhook'];
    const replicas = await eventually('replicas', async () => {
      const { stdout } = await cluster.kubectl([...made, '-o', 'jsonpath={.status.replicas}']);
      return stdout === '2' && stdout;
    });
    expect(replicas).toBe('2');
  }, 30_000);
});
