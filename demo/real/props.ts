import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ImageOptions, packImage } from '../../test/cluster/image.ts';
import { compileStandIn, settingsFor } from '../stand-in/miner.ts';

/** Where the pool and the attacker's files are: outside of the two teams' namespaces. */
export const OUTSIDE = 'demo-outside';

const POOL = { address: '10.96.77.77', port: 45_678 };

/** By address: busybox linked statically crashes now and then when it resolves names. */
const DEPOT_ADDRESS = '10.96.77.78';
export const DEPOT = `http://${DEPOT_ADDRESS}`;

const PROPS = 'kubesentry.test/props:1';

/** Every connection's bytes end in this file, so that they can be counted. */
const RECEIVED = '/tmp/received';
const listen = (port: number) => `nc -ll -p ${port} -e sh -c 'cat >> ${RECEIVED}'`;

/** Shell command that prints how many bytes a sink received. */
export const COUNT = ['sh', '-c', `cat ${RECEIVED} 2>/dev/null | wc -c`];

/**
 * Packs the images that the story's pods run, under the names that its manifests give them: busybox, and for the
 * depot the attacker's files beside it. Hands each archive to `load`.
 */
export function loadImages(load: (file: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'kubesentry-demo-'));
  try {
    const settings = join(folder, 'settings');
    writeFileSync(settings, settingsFor(POOL.address, POOL.port));
    const busybox = { 'bin/busybox': '/bin/busybox' };
    const links = Object.fromEntries(
      execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' })
        .split('\n')
        .filter((name) => name !== '' && name !== 'busybox')
        .map((name) => [`bin/${name}`, 'busybox']),
    );
    const images: ImageOptions[] = [
      { name: 'registry.example.com/shop/node-metrics:2.4', files: busybox, links },
      { name: 'registry.example.com/billing/ledger:1.9', files: busybox, links },
      { name: PROPS, files: { ...busybox, 'www/update': compileStandIn(), 'www/settings': settings }, links },
    ];
    const archive = join(folder, 'image.tar');
    for (const image of images) {
      packImage(archive, join(folder, 'scratch'), image);
      load(archive);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function server(namespace: string, name: string, command: string, service: object): object[] {
  // A label of its own: a DaemonSet of the same name would take the pod for one too many of its own.
  const app = `${name}-server`;
  const metadata = { namespace, name, labels: { app } };
  return [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name, image: PROPS, command: ['sh', '-c', command] }],
      },
    },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { app }, ...service } },
  ];
}

/** What stands on the stage before anything happens. */
export function scenery(): object[] {
  const namespaces = ['shop', 'billing', OUTSIDE].map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
  }));
  return [
    ...namespaces,
    ...server('billing', 'ledger', listen(8080), { ports: [{ port: 8080 }] }),
    ...server(OUTSIDE, 'pool', listen(POOL.port), { clusterIP: POOL.address, ports: [{ port: POOL.port }] }),
    ...server(OUTSIDE, 'depot', 'httpd -f -p 8080 -h /www', {
      clusterIP: DEPOT_ADDRESS,
      ports: [{ port: 80, targetPort: 8080 }],
    }),
  ];
}
