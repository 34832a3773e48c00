// Makes a bare Debian machine ready to run, build and test Kubesentry: packages, npm modules, the addon, the
// eBPF programs. It runs on whatever Node the machine has (18 or newer), before anything is installed; so it
// imports nothing but Node and its neighbours. What did not change since the last run is not done again.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPrograms } from '../bpf/build.mjs';
import { buildAddon } from '../bpf/node-libbpf/build.mjs';
import { ensurePackages } from './debian-packages.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const quiet = process.argv.includes('--quiet');
// Standard output belongs to the command that follows (`npm run demo -- --json`).
const log = (line) => process.stderr.write(`${line}\n`);

/** Why each Debian package is needed is said here, once. */
const PACKAGES = {
  gcc: 'compiles the binding to libbpf',
  'libc6-dev': 'C headers',
  'linux-libc-dev': 'kernel headers for user programs',
  clang: 'compiles the eBPF programs',
  llvm: 'strips them',
  'libbpf-dev': 'loads them',
  'libelf-dev': 'reads them',
  'zlib1g-dev': 'needed by libelf',
  'libuv1-dev': 'header of the event loop',
  'pkg-config': 'finds what libbpf links to',
  bpftool: 'shows what is in the kernel, in the tests',
  'busybox-static': 'what the demo runs in its pods',
  iproute2: 'makes the network namespaces of tests',
  python3: 'plays programs in the tests that only exist in memory, or connect in odd ways',
};

/** `npm ci`, unless node_modules already is what the lock file says. */
function installModules() {
  const stamp = join(ROOT, 'node_modules', '.kubesentry-lock');
  const wanted = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  log('Installing npm modules (npm ci); this takes about a minute ...');
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm ? [process.execPath, npm] : ['npm'];
  const result = spawnSync(command, [...first, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
  });
  if (result.status !== 0) {
    throw new Error(`npm ci failed with status ${result.status ?? result.signal}; its own message is above.`);
  }
  writeFileSync(stamp, wanted);
}

try {
  await ensurePackages(Object.keys(PACKAGES), { log });
  installModules();
  await buildAddon({ log });
  await buildPrograms({ log });
  if (!quiet) log('Ready.');
} catch (error) {
  log(`kubesentry: ${error.message}`);
  process.exit(1);
}
