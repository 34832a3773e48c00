import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensurePackages } from '../../build/debian-packages.mjs';
import { CACHE } from './cache.ts';

export const KUBERNETES_VERSION = 'v1.36.3';
const MODULE = join(import.meta.dirname, 'kubernetes');

/** How to start each component: the program and its first arguments. */
export interface Binaries {
  etcd: string[];
  apiserver: string[];
  kubectl: string[];
  /** Absent where envtest assets are used that do not have them. */
  controllerManager?: string[];
  scheduler?: string[];
  kubelet?: string[];
  proxy?: string[];
}

/** The built binary's place depends on everything that it is built from. */
function builtBinary(): string {
  const hash = createHash('sha256');
  for (const file of readdirSync(MODULE).sort()) hash.update(readFileSync(join(MODULE, file)));
  return join(CACHE, `kubernetes-${KUBERNETES_VERSION}-${hash.digest('hex').slice(0, 12)}`);
}

/** Assets in the manner of envtest (controller-runtime): KUBEBUILDER_ASSETS, or TEST_ASSET_KUBE_APISERVER and so on. */
function assets(): Binaries | undefined {
  const folder = process.env.KUBEBUILDER_ASSETS;
  if (!folder) return undefined;
  const find = (name: string, variable: string) => process.env[variable] ?? join(folder, name);
  const optional = (name: string) => (existsSync(join(folder, name)) ? [join(folder, name)] : undefined);
  const controllerManager = optional('kube-controller-manager');
  const scheduler = optional('kube-scheduler');
  return {
    etcd: [find('etcd', 'TEST_ASSET_ETCD')],
    apiserver: [find('kube-apiserver', 'TEST_ASSET_KUBE_APISERVER')],
    kubectl: [find('kubectl', 'TEST_ASSET_KUBECTL')],
    ...(controllerManager && { controllerManager }),
    ...(scheduler && { scheduler }),
  };
}

function fromOneBinary(path: string): Binaries {
  return {
    etcd: ['etcd'],
    apiserver: [path, 'kube-apiserver'],
    controllerManager: [path, 'kube-controller-manager'],
    scheduler: [path, 'kube-scheduler'],
    kubectl: [path, 'kubectl'],
    kubelet: [path, 'kubelet'],
    proxy: [path, 'kube-proxy'],
  };
}

/** The binaries, if they are there already. */
export function findBinaries(): Binaries | undefined {
  return assets() ?? (existsSync(builtBinary()) ? fromOneBinary(builtBinary()) : undefined);
}

/**
 * The binaries, built first if need be: about four minutes on two cores with an empty Go cache, then never again
 * until the version changes. Throws an Error that says what to install where it cannot.
 */
export async function ensureBinaries(log: (line: string) => void): Promise<Binaries> {
  const existing = assets();
  if (existing) return existing;
  await ensurePackages(['etcd-server'], { log });
  const binary = builtBinary();
  if (!existsSync(binary)) {
    requireGo();
    log(
      `Building Kubernetes ${KUBERNETES_VERSION} from its Go modules, once; about four minutes on two cores ...`,
    );
    mkdirSync(CACHE, { recursive: true });
    const partial = `${binary}.${process.pid}`;
    await goBuild(partial, log).catch((error) => {
      rmSync(partial, { force: true });
      throw error;
    });
    renameSync(partial, binary);
  }
  return fromOneBinary(binary);
}

function requireGo(): void {
  const found = /go1\.(\d+)/.exec(spawnSync('go', ['version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
  if (found !== undefined && Number(found) >= 21) return; // 1.21 and later fetch the toolchain that go.mod asks for
  throw new Error(
    `Kubernetes ${KUBERNETES_VERSION} needs Go 1.21 or newer to build (${found ? `this is 1.${found}` : 'there is none'}). ` +
      'Install it, on bookworm for example with:\n  sudo apt-get install -t bookworm-backports golang-go\n' +
      'or set KUBEBUILDER_ASSETS to a folder with kube-apiserver, etcd and kubectl.',
  );
}

/** `go build` with a line of progress every ten seconds: how many packages are compiled. */
async function goBuild(output: string, log: (line: string) => void): Promise<void> {
  const started = performance.now();
  const go = spawn(
    'go',
    [
      ...['build', '-v', '-trimpath', '-o', output],
      ...['-ldflags', `-s -w -X k8s.io/component-base/version.gitVersion=${KUBERNETES_VERSION}`, '.'],
    ],
    {
      cwd: MODULE,
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let lines = 0;
  let tail = '';
  go.stderr.on('data', (chunk: Buffer) => {
    lines += chunk.filter((byte) => byte === 10).length;
    tail = (tail + chunk).slice(-2000);
  });
  const timer = setInterval(() => {
    log(`  ${Math.round((performance.now() - started) / 1000)} s: ${lines} modules and packages done`);
  }, 10_000);
  const code = await new Promise<number | null>((resolve, reject) => {
    go.once('error', reject);
    go.once('close', resolve);
  }).finally(() => clearInterval(timer));
  if (code !== 0) throw new Error(`go build ended with ${code}:\n${tail}`);
}
