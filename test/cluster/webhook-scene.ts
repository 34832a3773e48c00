import { join } from 'node:path';
import { pino } from 'pino';
import { expect, vi } from 'vitest';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { loadIndicators } from '../../detection/load.ts';
import type { HttpCluster } from '../../kube/http/cluster.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';
import { CONFIGURATION_NAME } from '../../webhook/configuration.ts';
import { quarantinePolicy } from '../../webhook/quarantine-policy.ts';
import { type RunningWebhook, startWebhook, type WebhookOptions } from '../../webhook/start.ts';
import type { AuditBackend } from './audit.ts';
import { type KubectlResult, type RunningCluster, startCluster } from './cluster.ts';
import { writeKubeconfig } from './credentials.ts';

const ROOT = join(import.meta.dirname, '..', '..');
export const XMRIG = join(ROOT, 'test', 'fixtures', 'xmrig-daemonset.yaml');

/** No kubelet stands behind it; the scheduler has to believe it all the same. */
const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } };
const nodeStatus = {
  allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
  capacity: { cpu: '4', memory: '8Gi', pods: '110' },
  conditions: [{ type: 'Ready', status: 'True' }],
};

/** A control plane with a webhook that has the rights of its manifest and no others. */
export interface WebhookScene {
  server: RunningCluster;
  admin: HttpCluster;
  webhook: RunningWebhook;
  /** kubectl apply of these objects. */
  apply(...objects: object[]): Promise<KubectlResult>;
  /** What kubectl get prints. */
  read(...args: string[]): Promise<string>;
  close(): Promise<void>;
}

export interface WebhookSceneOptions {
  name: string;
  audit?: AuditBackend;
  /** Of the node, where a kubelet is to be found. */
  kubelet?: object;
  webhook?: Partial<WebhookOptions>;
}

/** Up when the API server asks the webhook. */
export async function openWebhookScene(options: WebhookSceneOptions): Promise<WebhookScene> {
  const { name, audit, kubelet = {} } = options;
  const server = await startCluster({ name, ...(audit && { audit }) });
  const apply = (...objects: object[]) =>
    server.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  const admin = await connectCluster({ kubeconfig: server.kubeconfig });
  for (const file of ['namespace', 'crds', 'webhook-rbac', 'agent-rbac', 'people-rbac']) {
    const path = join(ROOT, 'manifests', 'base', `${file}.yaml`);
    expect(await server.kubectl(['apply', '--server-side', '-f', path])).toMatchObject({ status: 0 });
  }
  const namespaces = ['shop', 'billing'].map((namespace) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  }));
  expect(await apply(...quarantinePolicy(), node, ...namespaces)).toMatchObject({ status: 0 });
  const status = { ...nodeStatus, ...kubelet };
  await admin.patch(KIND.Node, { name: 'n1' }, { status }, { subresource: 'status' });
  await server.kubectl(['wait', '--for=condition=Established', '--timeout=15s', 'crd', '--all']);
  const account = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook' };
  const token = await admin.createToken(account, {
    audience: 'https://kubernetes.default.svc',
    expirationSeconds: 3600,
  });
  const kubeconfig = join(server.folder, 'webhook.kubeconfig');
  const caFile = join(server.folder, 'apiserver', 'apiserver.crt');
  writeKubeconfig({ file: kubeconfig, server: server.url, caFile, token });
  const ours = await connectCluster({ kubeconfig });
  // In a cluster the manifest has made the configuration; the webhook's rights are to change this one only.
  await admin.create(KIND.ValidatingWebhookConfiguration, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: CONFIGURATION_NAME },
  });
  const webhook = await startWebhook({
    cluster: ours,
    indicators: await loadIndicators(),
    certificates: await ephemeralCertificate(['127.0.0.1']),
    register: 'here',
    log: pino({ level: 'warn' }),
    timeouts: { drain: 0 },
    ...options.webhook,
  });
  await webhook.ready;
  // The API server takes a moment to ask a newly registered webhook.
  await vi.waitFor(
    async () =>
      expect((await server.kubectl(['apply', '--dry-run=server', '-f', XMRIG])).stderr).toContain('denied'),
    { timeout: 15_000, interval: 200 },
  );
  return {
    server,
    admin,
    webhook,
    apply,
    read: async (...args) => (await server.kubectl(['get', ...args])).stdout,
    close: async () => {
      await webhook.close();
      await Promise.all([admin.close(), ours.close()]);
      await server.stop();
    },
  };
}
