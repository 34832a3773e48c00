import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { eventually, openScene, podOf, post, review } from './harness.ts';

const readyz = async (probeUrl: string) => {
  const response = await fetch(`${probeUrl}/readyz`);
  return { status: response.status, text: await response.text() };
};

describe('stopping', () => {
  it('says so first, serves on over connections that it ends, then closes', async () => {
    const scene = await openScene({ timeouts: { drain: 400 } });
    const { webhook } = scene;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = () => post(webhook, '/validate', review(podOf('web', 'shop')), { agent });
    expect((await ask()).headers.connection).not.toBe('close');
    expect(await readyz(webhook.probeUrl)).toEqual({ status: 200, text: 'ok\n' });

    const closed = webhook.close();
    const { status, text } = await readyz(webhook.probeUrl);
    expect([status, text]).toEqual([503, 'not ready: shutting down\n']);
    const answer = await ask();
    expect([answer.status, answer.json.response.allowed, answer.headers.connection]).toEqual([
      200,
      true,
      'close',
    ]);
    // A new connection is served as well: the API server hears late of an endpoint that goes.
    expect((await post(webhook, '/validate', review(podOf('web', 'shop')))).status).toBe(200);
    await closed;
    await expect(post(webhook, '/validate', '{}')).rejects.toThrow(/ECONNREFUSED/);
    agent.destroy();
  });

  it('does not wait for idle connections', async () => {
    const { webhook } = await openScene({ timeouts: { close: 10_000 } });
    const agent = new Agent({ keepAlive: true });
    await post(webhook, '/validate', review(podOf('web', 'shop')), { agent });
    const started = performance.now();
    await webhook.close();
    expect(performance.now() - started).toBeLessThan(3_000);
    agent.destroy();
  });

  it('cuts requests that do not end in their time', async () => {
    const { webhook } = await openScene({ timeouts: { close: 100 } });
    const { hostname, port } = new URL(webhook.url);
    const client = connect({ host: hostname, port: Number(port), ca: webhook.caBundle });
    client.on('error', () => {});
    await once(client, 'secureConnect');
    client.write('POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
    const cut = once(client, 'close');
    await webhook.close();
    await cut;
  });
});

describe('/readyz', () => {
  it('names what is missing until every watch has its first list, and reviews wait for the failurePolicy', async () => {
    const { MemoryCluster } = await import('../../kube/memory/cluster.ts');
    const { ephemeralCertificate } = await import('../../webhook/certificate-sources.ts');
    const { startWebhook } = await import('../../webhook/start.ts');
    const { indicators, log } = await import('./harness.ts');
    const { KIND } = await import('../../kube/kind.ts');
    const cluster = new MemoryCluster();
    await cluster.create(KIND.Namespace, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'kubesentry-system' },
    });
    const gate = Promise.withResolvers<void>();
    const list = cluster.list.bind(cluster);
    cluster.list = async (kind, options) => {
      if (kind.kind === 'Pod') await gate.promise;
      return list(kind, options);
    };
    const certificates = await ephemeralCertificate(['127.0.0.1']);
    const webhook = await startWebhook({ cluster, indicators, certificates, log, timeouts: { drain: 0 } });
    const notReady = await eventually(async () => {
      const answer = await readyz(webhook.probeUrl);
      return answer.text.includes('incidents') ? undefined : answer;
    }, 'all other watches');
    expect(notReady).toEqual({ status: 503, text: 'not ready: watch of pods, watch of detached\n' });
    const early = await post(webhook, '/validate', review(podOf('web', 'shop')));
    expect([early.status, early.json.code, early.headers['retry-after']]).toEqual([503, 'NOT_READY', '2']);
    gate.resolve();
    await webhook.ready;
    expect((await readyz(webhook.probeUrl)).status).toBe(200);
    await webhook.close();
  });
});
