import { beforeEach, describe, expect, test } from 'vitest';
import type { Denial } from '../../api/denial.ts';
import type { Incident } from '../../api/incident.ts';
import { API_VERSION } from '../../api/names.ts';
import { explain } from '../../cli/plugin/explain.ts';
import { incidents } from '../../cli/plugin/incidents.ts';
import type { Session } from '../../cli/plugin/options.ts';
import { release } from '../../cli/plugin/release.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';

const denial: Denial = {
  apiVersion: API_VERSION,
  kind: 'Denial',
  metadata: { name: 'd-0123456789abcdef', namespace: 'shop' },
  spec: {
    verdict: 'deny',
    operation: 'CREATE',
    resource: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'optimizer' },
    user: { username: 'dana', groups: [] },
    gate: 'rules',
    score: 100,
    findings: [
      {
        rule: 'stratum-url',
        severity: 'critical',
        score: 100,
        path: 'spec.template.spec.containers[0].args[1]',
        message: 'It connects to a pool.',
        remedy: 'Remove the miner.',
      },
    ],
    objectDigest: 'sha256:00',
  },
};

const incident: Incident = {
  apiVersion: API_VERSION,
  kind: 'Incident',
  metadata: { name: 'shop-optimizer' },
  spec: { namespace: 'shop', workload: { kind: 'DaemonSet', name: 'optimizer' } },
};

describe('kubectl kubesentry', () => {
  let cluster: MemoryCluster;
  let written: string;
  const session = (...positionals: string[]): Session => ({
    connect: async () => cluster,
    positionals,
    namespace: undefined,
    option: () => undefined,
    exitWith: () => {},
    write: (text) => {
      written += text;
    },
  });

  beforeEach(async () => {
    written = '';
    cluster = new MemoryCluster();
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
    await cluster.create(KIND.Namespace, namespace);
    await cluster.create(KIND.Denial, denial);
    await cluster.create(KIND.Incident, incident);
  });

  test('explain finds a denial in any namespace and says who, where, why and how to exempt', async () => {
    await explain(session('d-0123456789abcdef'));
    expect(written).toContain('CREATE DaemonSet shop/optimizer');
    expect(written).toContain('Asked by  dana');
    expect(written).toContain('At        spec.template.spec.containers[0].args[1]');
    expect(written).toContain('workloads: [DaemonSet/optimizer]');
  });

  test('explain knows rules, and says so when a name is neither', async () => {
    await explain(session('stratum-url'));
    expect(written).toMatch(/^stratum-url: /);
    await expect(explain(session('d-none'))).rejects.toThrow('There is no denial "d-none"');
  });

  test('incidents lists them in columns, and tells about one', async () => {
    await incidents(session());
    expect(written).toMatch(/^NAME +PHASE .*\nshop-optimizer .*DaemonSet\/optimizer/);
    await expect(incidents(session('none'))).rejects.toThrow('There is no incident "none"');
  });

  test('release deletes the quarantine and waits until the namespace is put back', async () => {
    const quarantine = {
      apiVersion: API_VERSION,
      kind: 'Quarantine' as const,
      metadata: { name: 'q' },
      spec: { namespace: 'shop', reason: 'r', requestedBy: 'kubesentry', bans: [] },
    };
    await cluster.create(KIND.Quarantine, quarantine);
    const label = (value: string | null) =>
      cluster.patch(
        KIND.Namespace,
        { name: 'shop' },
        { metadata: { labels: { 'kubesentry.io/quarantine': value } } },
      );
    await label('q');
    const releasing = release(session('q'));
    await expect.poll(() => cluster.get(KIND.Quarantine, { name: 'q' })).toBeUndefined();
    expect(written).toBe('');
    await label(null);
    await releasing;
    expect(written).toContain('namespace shop is no longer contained');
    await expect(release(session('q'))).rejects.toThrow('There is no quarantine "q"');
  });
});
