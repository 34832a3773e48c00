import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ephemeralCertificate } from '../../../webhook/certificate-sources.ts';
import { CACHE } from '../../cluster/cache.ts';
import { MINER } from './regular-expression.ts';
import { type ServerProcess, startServer } from './server-process.ts';

/** Of npm's `latest` no version corresponds to a tag of its repository; this one does. */
export const PEPR_VERSION = '1.1.4';

const folder = join(CACHE, `pepr-${PEPR_VERSION}`);
const PORT = 3000;

function install(log: (line: string) => void): void {
  if (existsSync(join(folder, 'node_modules', 'pepr', 'package.json'))) return;
  log(`Installing Pepr ${PEPR_VERSION} into ${folder} ...`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', `pepr@${PEPR_VERSION}`];
  const { status, stderr } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`Pepr could not be installed: ${stderr}`);
}

/** Starts Pepr without a cluster: all that it wants of one is the store that it keeps in a custom resource. */
export async function startPepr(log: (line: string) => void): Promise<ServerProcess> {
  install(log);
  const { cert, key, caBundle } = (await ephemeralCertificate(['127.0.0.1', 'localhost'])).current;
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const certPath = file('tls.crt', cert);
  const keyPath = file('tls.key', key);
  const caPath = file('ca.crt', caBundle);
  const store = await serveStore(cert, key);
  const kubeconfig = file('kubeconfig', kubeconfigOf(store, caPath));
  const server = await startServer(
    'Pepr',
    [join(import.meta.dirname, 'pepr-module.mjs')],
    `https://127.0.0.1:${PORT}/validate/token`,
    {
      cwd: folder,
      env: {
        ...process.env,
        MINER: MINER.source,
        PEPR_WATCH_MODE: 'false',
        PEPR_MODE: 'dev',
        PEPR_API_PATH: 'token',
        PORT: String(PORT),
        SSL_KEY_PATH: keyPath,
        SSL_CERT_PATH: certPath,
        KUBECONFIG: kubeconfig,
        NODE_EXTRA_CA_CERTS: caPath,
      },
    },
  );
  return {
    ...server,
    stop: async () => {
      await server.stop();
      store.closeAllConnections();
      store.close();
    },
  };
}

function kubeconfigOf(store: Server, ca: string): string {
  const { port } = store.address() as AddressInfo;
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    clusters: [
      { name: 'bench', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': ca } },
    ],
    users: [{ name: 'bench', user: { token: 'bench' } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
  });
}

/** Answers what Pepr asks of its PeprStore objects; watches stay open and silent. */
async function serveStore(cert: string, key: string): Promise<Server> {
  const server = createServer({ cert, key }, (request, response) => {
    const url = new URL(request.url ?? '/', 'https://store');
    response.setHeader('content-type', 'application/json');
    if (url.searchParams.get('watch') === 'true' || url.searchParams.get('watch') === '1') {
      response.flushHeaders();
      return;
    }
    request.resume().on('end', () => {
      const selected = url.searchParams.get('fieldSelector')?.split('metadata.name=')[1]?.split(',')[0];
      const name = url.pathname.split('/peprstores/')[1] ?? selected;
      const metadata = { name, namespace: 'pepr-system', resourceVersion: '1', uid: `store-${name}` };
      const store = { apiVersion: 'pepr.dev/v1', kind: 'PeprStore', metadata, data: {} };
      const about = { apiVersion: 'pepr.dev/v1', kind: 'PeprStoreList', metadata: { resourceVersion: '1' } };
      response.end(JSON.stringify(selected === undefined ? store : { ...about, items: [store] }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
