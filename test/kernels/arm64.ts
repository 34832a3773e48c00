import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Binaries, binariesFor } from '../../build/binaries.ts';
import { CACHE, privateApt, unpackPackages } from '../../build/private-apt.ts';
import { type Kernel, kernelIn, kernelPackage } from './debian-kernel.ts';

/** What an arm64 guest is made of, fetched and built for it on this machine. */
export interface Arm64 extends Pick<Binaries, 'node' | 'addon'> {
  kernel: Kernel;
  /** Folder with programs and libraries of Debian's. */
  sysroot: string;
}

/** Debian packages on this machine beside those of every guest. */
export const ARM64_PACKAGES: string[] = ['qemu-system-arm'];

/** Of the guest: to run Node, bash and coreutils. */
const GUEST_PACKAGES = (
  'libc6 libstdc++6 libgcc-s1 libatomic1 bash libtinfo6 coreutils libselinux1 libpcre2-8-0 libacl1 libattr1 ' +
  'libgmp10 libssl3 busybox-static'
).split(' ');

/** Takes some seconds and 70 MB of download at first use. */
export async function fetchArm64(log: (line: string) => void): Promise<Arm64> {
  const folder = join(CACHE, 'kernels', 'arm64');
  const sysroot = join(folder, 'root');
  if (!existsSync(sysroot)) {
    log("Fetching Debian's 6.1 for arm64 ...");
    rmSync(folder, { recursive: true, force: true });
    const apt = privateApt(folder, 'bookworm', 'arm64');
    apt('apt-get', '--quiet', 'update');
    unpackPackages(folder, apt, [kernelPackage(apt, 'linux-image-cloud-arm64'), ...GUEST_PACKAGES]);
  }
  const { node, addon } = await binariesFor('arm64', log);
  return { kernel: kernelIn(join(sysroot, 'boot')), sysroot, node, addon };
}
