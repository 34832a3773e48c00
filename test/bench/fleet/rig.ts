import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { CA_CONFIG_MAP, SYSTEM_NAMESPACE } from '../../../api/names.ts';
import { BUNDLE, bundle } from '../../../build/bundle.ts';
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
import { textOf } from './usage.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** A real control plane and a webhook of its own process, both on loopback. */
export interface Rig {
  cluster: RunningCluster;
  admin: HttpCluster;
  mint: TokenMint;
  webhook: { url: string; ca: string; probes: string };
  pids: Record<'webhook' | 'apiserver' | 'etcd', number>;
  close(): Promise<void>;
}

export async function openRig(log: (line: string) => void): Promise<Rig> {
  const cluster = await startCluster({ name: 'bench-response', log });
  let child: ChildProcess | undefined;
  try {
    const admin = await connectCluster({ kubeconfig: cluster.kubeconfig });
    await install(cluster, admin);
    await bundle();
    const { etcd: port, etcdPeer: probePort } = await freePorts();
    const url = `https://127.0.0.1:${port}`;
    const probes = `http://127.0.0.1:${probePort}`;
    child = await startWebhook(cluster, admin, [
      '--host=127.0.0.1',
      `--port=${port}`,
      `--probe-port=${probePort}`,
      `--url=${url}`,
    ]);
    await eventually('ready webhook', () =>
      textOf(`${probes}/readyz`).then(
        (text) => text === 'ok\n',
        () => false,
      ),
    );
    const ca = await eventually('CA of the webhook', async () => {
      const map = await admin.get(KIND.ConfigMap, { namespace: SYSTEM_NAMESPACE, name: CA_CONFIG_MAP });
      return (map?.data as Record<string, string> | undefined)?.['ca.crt'];
    });
    const pidOf = (name: string) => daemons(cluster.folder).find((each) => each.name === name)?.pid ?? 0;
    const webhook = child;
    return {
      cluster,
      admin,
      mint: await tokenMint(cluster, admin),
      webhook: { url, ca, probes },
      pids: { webhook: webhook.pid ?? 0, apiserver: pidOf('kube-apiserver'), etcd: pidOf('etcd') },
      async close() {
        await admin.close();
        await ended(webhook);
        await cluster.stop();
      },
    };
  } catch (error) {
    if (child) await ended(child);
    await cluster.stop();
    throw error;
  }
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

/** As the image starts it, with the rights of its manifest and no others. */
async function startWebhook(
  cluster: RunningCluster,
  admin: HttpCluster,
  options: string[],
): Promise<ChildProcess> {
  const account = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook' };
  const audience = 'https://kubernetes.default.svc';
  const kubeconfig = join(cluster.folder, 'webhook.kubeconfig');
  writeKubeconfig({
    file: kubeconfig,
    server: cluster.url,
    caFile: join(cluster.folder, 'apiserver', 'apiserver.crt'),
    token: await admin.createToken(account, { audience, expirationSeconds: 7200 }),
  });
  const output = openSync(join(cluster.folder, 'webhook.log'), 'a');
  const child = spawn(
    process.execPath,
    [
      '--max-semi-space-size=16',
      '--max-old-space-size=256',
      join(BUNDLE, 'kubesentry.mjs'),
      'webhook',
      `--kubeconfig=${kubeconfig}`,
      '--drain-seconds=0',
      ...options,
    ],
    { stdio: ['ignore', output, output] },
  );
  closeSync(output);
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
