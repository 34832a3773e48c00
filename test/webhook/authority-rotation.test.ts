import { Agent } from 'node:https';
import { afterEach, describe, expect, it } from 'vitest';
import { CA_CONFIG_MAP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { KIND } from '../../kube/kind.ts';
import { certificateFromSecret, type ReloadedCertificate } from '../../webhook/certificate-sources.ts';
import { type RunningWebhook, startWebhook } from '../../webhook/start.ts';
import { eventually, indicators, log, openScene, podOf, post, review, type Scene } from './harness.ts';

const SECRET = { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook-tls' };
const HOSTS = ['127.0.0.1'];
const ROTATIONS = 10;

let scene: Scene | undefined;
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await scene?.[Symbol.asyncDispose]();
});

interface Replica {
  webhook: RunningWebhook;
  certificates: ReloadedCertificate;
}

async function startReplica({ as }: Scene, identity: string): Promise<Replica> {
  const cluster = as('webhook');
  const certificates = await certificateFromSecret(cluster, SECRET, HOSTS, log);
  const timeouts = { drain: 0 };
  const webhook = await startWebhook({ cluster, indicators, certificates, log, identity, timeouts });
  await webhook.ready;
  closing.push(() => webhook.close(), certificates.close);
  return { webhook, certificates };
}

describe('rotating certificates under load', () => {
  it('ten new authorities and serving certificates cost no request', { timeout: 30_000 }, async () => {
    scene = await openScene();
    const { cluster } = scene;
    await scene.webhook.close(); // the first replica is to lead
    const replicas = [await startReplica(scene, 'one'), await startReplica(scene, 'two')] as const;
    const body = review(podOf('web', 'shop'));
    const published = async () => {
      const found = await cluster.get(KIND.ConfigMap, { namespace: SYSTEM_NAMESPACE, name: CA_CONFIG_MAP });
      return (found?.data as { 'ca.crt'?: string } | undefined)?.['ca.crt'] ?? '';
    };
    const caOf = (replica: Replica) => replica.certificates.current.caBundle;
    const inStep = () =>
      eventually(async () => caOf(replicas[0]) === (await published()) || undefined, 'publication');

    let isOver = false;
    const served = { fresh: 0, kept: 0 };
    const failures: string[] = [];
    const ask = async (kind: keyof typeof served, { webhook }: Replica, caBundle: string, agent: Agent) => {
      const target = { url: webhook.url, caBundle };
      const { status } = await post(target, '/validate', body, { agent }).catch((error: Error) => ({
        status: error.message,
      }));
      if (status === 200) served[kind]++;
      else failures.push(`${kind}: ${status}`);
    };
    const clients = replicas.map(async (replica) => {
      // One connection for all of it, by a client that soon knows no authority that is left: it may never be cut.
      const kept = new Agent({ keepAlive: true, maxSockets: 1 });
      closing.push(() => kept.destroy());
      const atFirst = await published();
      while (!isOver) {
        await ask('kept', replica, atFirst, kept);
        await ask('fresh', replica, await published(), new Agent({ keepAlive: false }));
      }
    });

    const leaves = new Set<string>();
    for (let rotation = 0; rotation < ROTATIONS; rotation++) {
      const before = { ...served };
      // First a new authority is only trusted; then it signs. In between one replica is ahead of the other.
      for (const lost of ['ca.key', 'tls.crt']) {
        await cluster.patch(KIND.Secret, SECRET, { data: { [lost]: null } });
        // The leader repairs it; until then the other one keeps what it has, and then reads it.
        for (const { certificates } of [...replicas].reverse()) await certificates.reload();
        await inStep();
        await replicas[1].certificates.reload();
      }
      expect(caOf(replicas[1])).toBe(caOf(replicas[0]));
      leaves.add(replicas[0].certificates.current.cert);
      const isServing = () => served.fresh > before.fresh + 20 && served.kept > before.kept + 20;
      await eventually(() => isServing() || failures[0], 'requests after a rotation');
    }
    isOver = true;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    expect(leaves.size).toBe(ROTATIONS);
    console.log(
      `ten rotations: ${served.fresh} fresh and ${served.kept} kept connections' requests, 0 failed`,
    );
  });
});
