import { join } from 'node:path';
import { BUNDLE, bundle } from '../../../build/bundle.ts';
import type { RunningCluster } from '../../cluster/cluster.ts';
import { must } from '../../cluster/install.ts';
import { imageSettings } from '../load/image-settings.ts';
import { type ServerProcess, startServer } from './server-process.ts';

const BASE = join(import.meta.dirname, '..', '..', '..', 'manifests', 'base');
const PORT = 8443;

/** Our webhook from its bundle, as in its image, registered in the API server of `cluster`. */
export async function startOurs(
  cluster: RunningCluster,
  log: (line: string) => void,
): Promise<ServerProcess> {
  log('Bundling Kubesentry ...');
  await bundle();
  for (const file of ['namespace.yaml', 'crds.yaml']) {
    await must(cluster, ['apply', '--server-side', '-f', join(BASE, file)]);
  }
  await must(cluster, ['wait', '--for=condition=Established', '--timeout=15s', 'crd', '--all']);
  for (let team = 0; team < 20; team++) await must(cluster, ['create', 'namespace', `team-${team}`]);
  const url = `https://127.0.0.1:${PORT}`;
  const args = ['--host', '127.0.0.1', '--port', `${PORT}`, '--probe-port', '8081', '--url', url];
  const { flags, environment } = imageSettings('webhook');
  return startServer(
    'Kubesentry',
    [...flags, join(BUNDLE, 'kubesentry.mjs'), 'webhook', '--kubeconfig', cluster.kubeconfig, ...args],
    `${url}/validate`,
    { env: { ...process.env, ...environment } },
  );
}
