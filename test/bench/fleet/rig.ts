import { join } from 'node:path';
import { CA_CONFIG_MAP, SYSTEM_NAMESPACE } from '../../../api/names.ts';
import { bundle } from '../../../build/bundle.ts';
import type { HttpCluster } from '../../../kube/http/cluster.ts';
import { connectCluster } from '../../../kube/http/connect.ts';
import { KIND } from '../../../kube/kind.ts';
import { CONFIGURATION_NAME } from '../../../webhook/configuration.ts';
import { quarantinePolicy } from '../../../webhook/quarantine-policy.ts';
import { type RunningCluster, startCluster } from '../../cluster/cluster.ts';
import { freePorts } from '../../cluster/control-plane.ts';
import { writeKubeconfig } from '../../cluster/credentials.ts';
import { daemons } from '../../cluster/daemon.ts';
import { eventually } from '../../cluster/eventually.ts';
import { must } from '../../cluster/install.ts';
import { type TokenMint, tokenMint } from './tokens.ts';
import { WebhookProcess } from './webhook-process.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** A real control plane and a webhook of its own process, both on loopback. */
export interface Rig {
  cluster: RunningCluster;
  admin: HttpCluster;
  /** With the rights of the webhook. */
  ours: HttpCluster;
  mint: TokenMint;
  webhook: { url: string; ca: string; probes: string };
  readonly pids: Record<'webhook' | 'apiserver' | 'etcd', number>;
  /** kill -9; what `begin` does comes before another one is started in its place. Resolves when that one is ready. */
  replaceWebhook(begin: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export async function openRig(log: (line: string) => void): Promise<Rig> {
  const cluster = await startCluster({ name: 'bench-response', log });
  let webhook: WebhookProcess | undefined;
  try {
    const admin = await connectCluster({ kubeconfig: cluster.kubeconfig });
    await install(cluster, admin);
    await bundle();
    const { etcd: port, etcdPeer: probePort } = await freePorts();
    const url = `https://127.0.0.1:${port}`;
    const probes = `http://127.0.0.1:${probePort}`;
    const kubeconfig = await webhookKubeconfig(cluster, admin);
    webhook = new WebhookProcess(probes, join(cluster.folder, 'webhook.log'), [
      `--kubeconfig=${kubeconfig}`,
      '--host=127.0.0.1',
      `--port=${port}`,
      `--probe-port=${probePort}`,
      `--url=${url}`,
    ]);
    await webhook.start();
    const ours = await connectCluster({ kubeconfig });
    const ca = await eventually('CA of the webhook', async () => {
      const map = await admin.get(KIND.ConfigMap, { namespace: SYSTEM_NAMESPACE, name: CA_CONFIG_MAP });
      return (map?.data as Record<string, string> | undefined)?.['ca.crt'];
    });
    const pidOf = (name: string) => daemons(cluster.folder).find((each) => each.name === name)?.pid ?? 0;
    const process = webhook;
    return {
      cluster,
      admin,
      ours,
      mint: await tokenMint(cluster, admin),
      webhook: { url, ca, probes },
      get pids() {
        return { webhook: process.pid, apiserver: pidOf('kube-apiserver'), etcd: pidOf('etcd') };
      },
      async replaceWebhook(begin) {
        await process.end('SIGKILL');
        await begin();
        await process.start();
      },
      async close() {
        await Promise.all([admin.close(), ours.close()]);
        await process.end();
        await cluster.stop();
      },
    };
  } catch (error) {
    await webhook?.end();
    await cluster.stop();
    throw error;
  }
}

/** With the rights of the manifest and no others. */
async function webhookKubeconfig(cluster: RunningCluster, admin: HttpCluster): Promise<string> {
  const account = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook' };
  const audience = 'https://kubernetes.default.svc';
  const file = join(cluster.folder, 'webhook.kubeconfig');
  writeKubeconfig({
    file,
    server: cluster.url,
    caFile: join(cluster.folder, 'apiserver', 'apiserver.crt'),
    token: await admin.createToken(account, { audience, expirationSeconds: 7200 }),
  });
  return file;
}

async function install(cluster: RunningCluster, admin: HttpCluster): Promise<void> {
  for (const file of ['namespace', 'crds', 'webhook-rbac', 'agent-rbac']) {
    await must(cluster, ['apply', '--server-side', '-f', join(ROOT, 'manifests', 'base', `${file}.yaml`)]);
  }
  await must(cluster, ['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
  for (const object of quarantinePolicy()) {
    await must(cluster, ['apply', '--server-side', '-f', '-'], JSON.stringify(object));
  }
  // In a cluster the manifest has made it; the webhook's rights are to change this one only.
  await admin.create(KIND.ValidatingWebhookConfiguration, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: CONFIGURATION_NAME },
  });
}
