import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import { CA_CONFIG_MAP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { ObjectKey, Stored } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { FixedCertificate } from '../../webhook/certificates.ts';
import { webhookConfiguration } from '../../webhook/configuration.ts';
import { Metrics } from '../../webhook/metrics.ts';
import { Publisher } from '../../webhook/publisher.ts';
import { eventually, log } from './harness.ts';

const SERVICE = { service: { name: 'kubesentry-webhook', namespace: SYSTEM_NAMESPACE } };
const CONFIGURATION: ObjectKey = { name: 'kubesentry' };
const AGENTS: ObjectKey = { namespace: SYSTEM_NAMESPACE, name: CA_CONFIG_MAP };

/** An API server that refuses what is applied to it, until it does not. */
class MoodyCluster extends MemoryCluster {
  refuses = 0;

  override apply<T extends Stored>(...args: Parameters<MemoryCluster['apply']>): Promise<T> {
    if (this.refuses-- > 0) return Promise.reject(new KubesentryError('KUBE_UNREACHABLE', 'It is away.'));
    return super.apply(...args) as Promise<T>;
  }
}

describe('the CA of the webhook', () => {
  let cluster: MoodyCluster;
  let metrics: Metrics;
  let certificates: FixedCertificate;
  let publisher: Publisher;

  beforeEach(async () => {
    cluster = new MoodyCluster();
    const metadata = { name: SYSTEM_NAMESPACE };
    await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata });
    metrics = new Metrics();
    certificates = new FixedCertificate({ cert: '', key: '', caBundle: 'first' });
    await cluster.create(KIND.ValidatingWebhookConfiguration, webhookConfiguration(SERVICE));
    publisher = new Publisher({ cluster, certificates, address: SERVICE, metrics, log });
  });
  afterEach(() => publisher.close());

  const told = async () => {
    const found = await cluster.get(KIND.ValidatingWebhookConfiguration, CONFIGURATION);
    const webhooks = (found?.webhooks ?? []) as { clientConfig: { caBundle?: string } }[];
    const all = webhooks.map(({ clientConfig }) =>
      Buffer.from(clientConfig.caBundle ?? '', 'base64').toString(),
    );
    return all.length > 0 && all.every((ca) => ca === all[0]) ? all[0] : undefined;
  };
  const agentsTold = async () =>
    ((await cluster.get(KIND.ConfigMap, AGENTS)) as { data?: Record<string, string> } | undefined)?.data?.[
      'ca.crt'
    ];
  const isPublished = async () => (await metrics.caPublished.get()).values[0]?.value;
  const eventuallyTold = (ca: string) =>
    eventually(async () => ((await told()) === ca && (await agentsTold()) === ca) || undefined, `CA ${ca}`);

  test('is told again when the configuration was deleted and applied', async () => {
    await publisher.start();
    publisher.lead(true);
    expect(await told()).toBe('first');
    await cluster.delete(KIND.ValidatingWebhookConfiguration, CONFIGURATION);
    await cluster.create(KIND.ValidatingWebhookConfiguration, webhookConfiguration(SERVICE));
    await eventuallyTold('first');
  });

  test('is told again when somebody wrote another CA into one of the entries', async () => {
    await publisher.start();
    publisher.lead(true);
    const found = await cluster.get(KIND.ValidatingWebhookConfiguration, CONFIGURATION);
    const [first, ...others] = (found as unknown as { webhooks: { clientConfig: object }[] }).webhooks;
    const foreign = { ...first, clientConfig: { ...first?.clientConfig, caBundle: 'Zm9yZWlnbg==' } };
    const webhooks = [foreign, ...others];
    await cluster.patch(KIND.ValidatingWebhookConfiguration, CONFIGURATION, { webhooks });
    await eventuallyTold('first');
  });

  test('is not put into a configuration that somebody deleted and did not apply again', async () => {
    await publisher.start();
    publisher.lead(true);
    await cluster.delete(KIND.ValidatingWebhookConfiguration, CONFIGURATION);
    certificates.replace({ cert: '', key: '', caBundle: 'second' });
    await eventually(async () => (await agentsTold()) === 'second' || undefined, 'CA of the agents');
    expect(await cluster.get(KIND.ValidatingWebhookConfiguration, CONFIGURATION)).toBeUndefined();
  });

  test('is told by the leader alone after the start, so that an old one does not come back', async () => {
    await publisher.start();
    const leading = new FixedCertificate({ cert: '', key: '', caBundle: 'newer' });
    const leader = new Publisher({ cluster, certificates: leading, address: SERVICE, metrics, log });
    await leader.start();
    leader.lead(true);
    certificates.replace({ cert: '', key: '', caBundle: 'older' });
    await cluster.delete(KIND.ValidatingWebhookConfiguration, CONFIGURATION);
    await cluster.create(KIND.ValidatingWebhookConfiguration, webhookConfiguration(SERVICE));
    await eventuallyTold('newer');
    await leader.close();
    publisher.lead(true);
    await eventuallyTold('older');
  });

  test('is told at last when the first tries fail, and the metric says so meanwhile', async () => {
    cluster.refuses = 2;
    const starting = publisher.start();
    await eventually(async () => cluster.refuses < 2 || undefined, 'first try');
    expect(await isPublished()).toBe(0);
    expect(await told()).toBe('');
    await starting;
    expect(await isPublished()).toBe(1);
    expect(await told()).toBe('first');
  });

  test('a replica that stops while it tries again does not hang', async () => {
    cluster.refuses = Number.POSITIVE_INFINITY;
    const starting = publisher.start();
    await eventually(async () => (await isPublished()) === 0 || undefined, 'first try');
    await publisher.close();
    await starting;
    expect(await told()).toBe('');
  });
});
