import { beforeEach, describe, expect, test } from 'vitest';
import { LABEL, QUARANTINE_NETWORK_POLICY, QUARANTINE_NOTE, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { install } from '../../cli/install/install.ts';
import { kindOf, readManifest } from '../../cli/install/manifest.ts';
import { parseArguments } from '../../cli/install/options.ts';
import { uninstall } from '../../cli/install/uninstall.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { publish } from '../../webhook/publish.ts';

const manifest = await readManifest(undefined);
const SERVICE = { service: { name: 'kubesentry-webhook', namespace: SYSTEM_NAMESPACE } };

/** What controllers answer at once here. */
const STATUS: Readonly<Record<string, object>> = {
  CustomResourceDefinition: { conditions: [{ type: 'Established', status: 'True' }] },
  Deployment: { observedGeneration: 99, replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
  DaemonSet: {
    observedGeneration: 99,
    desiredNumberScheduled: 3,
    updatedNumberScheduled: 3,
    numberAvailable: 3,
  },
};

describe('installing', () => {
  let cluster: MemoryCluster;
  let lines: string[];
  const write = (line: string) => void lines.push(line);
  beforeEach(() => {
    cluster = new MemoryCluster();
    lines = [];
  });

  /** As it is with controllers. */
  function attended(): MemoryCluster {
    const get: typeof cluster.get = async (kind, key) => {
      const found = await MemoryCluster.prototype.get.call(cluster, kind, key);
      const status = STATUS[kind.kind];
      return (found && status ? { ...found, status } : found) as never;
    };
    return Object.assign(cluster, { get });
  }
  const left = async () => {
    const all = await Promise.all(
      manifest.map((object) => {
        const { name = '', namespace } = object.metadata;
        return MemoryCluster.prototype.get.call(cluster, kindOf(object), { name, namespace });
      }),
    );
    return all.filter((each) => each !== undefined).length;
  };

  test('applies all, waits for what has to run, and does it again without harm', async () => {
    for (let times = 0; times < 2; times++) {
      await install({ cluster: attended(), manifest, write, patienceMs: 1000 });
      expect(await left()).toBe(manifest.length);
    }
    expect(lines).toContain('DaemonSet kubesentry-system/kubesentry-agent rolled out\n');
  });

  test('waits for a definition whose conditions are null at first', async () => {
    const patient = attended();
    const { get } = patient;
    let isFirst = true;
    const early: typeof get = async (kind, key) => {
      const found = await get(kind, key);
      if (kind.kind !== 'CustomResourceDefinition' || !isFirst) return found;
      isFirst = false;
      return { ...found, status: { conditions: null } } as never;
    };
    await install({ cluster: Object.assign(patient, { get: early }), manifest, write, patienceMs: 1000 });
    expect(isFirst).toBe(false);
    expect(await left()).toBe(manifest.length);
  });

  test('says what does not come up, and where to look', async () => {
    const onlyDefinitions = manifest.filter(({ kind }) => kind !== 'CustomResourceDefinition');
    await expect(
      install({ cluster, manifest: onlyDefinitions, write, patienceMs: 50 }),
    ).rejects.toMatchObject({
      code: 'NOT_READY',
      message: expect.stringContaining('kubectl -n kubesentry-system describe pods'),
    });
  });

  test('a later manifest leaves the CA that the webhook put in', async () => {
    await install({ cluster: attended(), manifest, write, patienceMs: 1000 });
    await publish(cluster, 'CA', SERVICE);
    await install({ cluster: attended(), manifest, write, patienceMs: 1000 });
    const found = await cluster.get(KIND.ValidatingWebhookConfiguration, { name: 'kubesentry' });
    const webhooks = found?.webhooks as { clientConfig: { caBundle: string; service: object } }[];
    for (const { clientConfig } of webhooks) {
      expect(clientConfig).toMatchObject({ caBundle: 'Q0E=', service: { name: 'kubesentry-webhook' } });
    }
  });

  test('is undone in an order in which nothing refuses, and contained namespaces are free', async () => {
    const metadata = {
      name: 'shop',
      labels: { [LABEL.quarantine]: 'q', team: 'a' },
      annotations: { [QUARANTINE_NOTE]: 'since' },
    };
    await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata });
    const policy: KubeObject = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: 'shop', name: QUARANTINE_NETWORK_POLICY },
    };
    await cluster.create(KIND.NetworkPolicy, policy);
    // From here on a change of the label would be refused, since nobody answers the webhook.
    await install({ cluster: attended(), manifest, write, patienceMs: 1000 });
    lines = [];
    await uninstall({ cluster, manifest, write, patienceMs: 1000 });
    expect(await left()).toBe(0);
    const shop = await cluster.get(KIND.Namespace, { name: 'shop' });
    expect([shop?.metadata.labels, shop?.metadata.annotations]).toEqual([
      expect.not.objectContaining({ [LABEL.quarantine]: 'q' }),
      {},
    ]);
    expect(
      await cluster.get(KIND.NetworkPolicy, { namespace: 'shop', name: QUARANTINE_NETWORK_POLICY }),
    ).toBeUndefined();
    const kinds = lines.map((line) => line.split(' ')[0]);
    const order = ['ValidatingWebhookConfiguration', 'Deployment', 'Namespace', 'CustomResourceDefinition'];
    expect(order.map((kind) => kinds.indexOf(kind))).toEqual(
      order.map((kind) => kinds.indexOf(kind)).toSorted((a, b) => a - b),
    );
    expect(lines.at(-1)).toBe(`Namespace ${SYSTEM_NAMESPACE} removed\n`);
    await uninstall({ cluster, manifest, write, patienceMs: 1000 });
  });

  test('takes only options that it has', () => {
    expect(parseArguments(['--check', '-f', 'x.yaml'], ['check'])).toMatchObject({
      check: true,
      file: 'x.yaml',
    });
    expect(() => parseArguments(['--yes'], ['check'])).toThrow('no --yes');
    expect(() => parseArguments(['--timeout', 'soon'], ['check'])).toThrow('--timeout takes seconds');
  });
});
