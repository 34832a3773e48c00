import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { issueServingPair, makeAuthority } from '../../certs/authority.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';

const PING_MS = 100;

/** An API server over HTTP/2 that begins every watch and then has no news, behind a wire that can be cut silently. */
async function startSilentServer() {
  const authority = await makeAuthority();
  const pair = await issueServingPair(authority, ['127.0.0.1']);
  const server = createSecureServer({ key: pair.key, cert: pair.certificate }, (_req, res) => {
    res.write('{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets: Socket[] = [];
  const wire = createServer((near) => {
    const far = connect((server.address() as AddressInfo).port, '127.0.0.1');
    for (const socket of [near, far]) socket.on('error', () => {});
    near.pipe(far).pipe(near);
    sockets.push(near, far);
  });
  wire.listen(0, '127.0.0.1');
  await once(wire, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'kubesentry-liveness-'));
  const kubeconfig = join(folder, 'config');
  const cluster = {
    server: `https://127.0.0.1:${(wire.address() as AddressInfo).port}`,
    'certificate-authority-data': Buffer.from(authority.certificate).toString('base64'),
  };
  const config = {
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    wire.close();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const face = await connectCluster({ kubeconfig, pingMs: PING_MS });
  onTestFinished(() => face.close());
  return {
    cluster: face,
    /** From now on nothing passes, and nobody is told. */
    cut: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}

test('a watch without news lives as long as its peer does, and breaks soon after that has vanished', async () => {
  const { cluster, cut } = await startSilentServer();
  const stop = new AbortController();
  const options = { resourceVersion: '1', timeoutSeconds: 600, signal: stop.signal };
  const watch = cluster.watch(KIND.Quarantine, options)[Symbol.asyncIterator]();
  expect(await watch.next()).toMatchObject({ value: { type: 'BOOKMARK' } });
  const broken = watch.next().then(
    () => 'ended',
    (error) => error,
  );
  const quiet = new Promise((resolve) => setTimeout(resolve, 10 * PING_MS, 'quiet'));
  expect(await Promise.race([broken, quiet])).toBe('quiet');
  cut();
  const before = performance.now();
  expect(await broken).toMatchObject({ code: 'KUBE_UNREACHABLE' });
  expect(performance.now() - before).toBeLessThan(20 * PING_MS);
});
