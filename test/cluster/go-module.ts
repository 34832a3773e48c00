import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CACHE } from './cache.ts';

export interface GoModule {
  /** Folder of the module; its files decide whether a built binary is still right. */
  folder: string;
  /** Said while it is built. */
  title: string;
  ldflags?: string;
}

/** Where the module's binary is, once built. */
export function binaryOf({ folder }: GoModule): string {
  const hash = createHash('sha256');
  for (const file of readdirSync(folder).sort()) hash.update(readFileSync(join(folder, file)));
  return join(CACHE, `${basename(folder)}-${hash.digest('hex').slice(0, 12)}`);
}

/** Builds the module's binary if it is not there. Throws an Error that says what to install where there is no Go. */
export async function buildModule(module: GoModule, log: (line: string) => void): Promise<string> {
  const binary = binaryOf(module);
  if (existsSync(binary)) return binary;
  requireGo(module.title);
  log(`Building ${module.title} from Go modules, once ...`);
  mkdirSync(CACHE, { recursive: true });
  const partial = `${binary}.${process.pid}`;
  try {
    await goBuild(module, partial, log);
    renameSync(partial, binary);
  } finally {
    rmSync(partial, { force: true });
  }
  return binary;
}

function requireGo(title: string): void {
  const found = /go1\.(\d+)/.exec(spawnSync('go', ['version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
  if (found !== undefined && Number(found) >= 21) return; // 1.21 and later fetch the toolchain that go.mod asks for
  throw new Error(
    `${title} needs Go 1.21 or newer to build (${found ? `this is 1.${found}` : 'there is none'}). ` +
      'Install it, on bookworm for example with:\n  sudo apt-get install -t bookworm-backports golang-go\n' +
      'or set KUBEBUILDER_ASSETS to a folder with kube-apiserver, etcd and kubectl.',
  );
}

/** `go build` with a line of progress every ten seconds. */
async function goBuild(
  { folder, ldflags = '' }: GoModule,
  output: string,
  log: (line: string) => void,
): Promise<void> {
  const started = performance.now();
  const go = spawn('go', ['build', '-v', '-trimpath', '-o', output, '-ldflags', `-s -w ${ldflags}`, '.'], {
    cwd: folder,
    env: { ...process.env, CGO_ENABLED: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
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
