import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE, privateApt, unpackPackages } from '../../build/private-apt.ts';

/** A kernel of Debian's, unpacked in the cache; nothing of it is installed. */
export interface Kernel {
  /** Such as 6.12.57+deb13-cloud-amd64. */
  release: string;
  /** The bootable image. */
  image: string;
}

/** Debian suites and the kernel series that each ships. */
export const SUITES = { bullseye: '5.10', bookworm: '6.1', trixie: '6.12' } as const;
export type Suite = keyof typeof SUITES;

/** The unpacked kernel of `suite`, fetched at first use. Takes a few seconds and 30 MB of download then. */
export function fetchKernel(suite: Suite, log: (line: string) => void): Kernel {
  const folder = join(CACHE, 'kernels', suite);
  const boot = join(folder, 'root', 'boot');
  if (!existsSync(boot)) {
    log(`Fetching Debian's ${SUITES[suite]} kernel (${suite}) ...`);
    rmSync(folder, { recursive: true, force: true });
    const apt = privateApt(folder, suite);
    apt('apt-get', '--quiet', 'update');
    unpackPackages(folder, apt, [kernelPackage(apt, 'linux-image-cloud-amd64')]);
  }
  return kernelIn(boot);
}

/** The package that a meta package names at the moment. */
export function kernelPackage(apt: ReturnType<typeof privateApt>, meta: string): string {
  const name = /Depends: (linux-image-\S+)/.exec(apt('apt-cache', 'depends', '--important', meta))?.[1];
  if (!name) throw new Error(`Debian has no ${meta} here.`);
  return name;
}

export function kernelIn(boot: string): Kernel {
  const file = readdirSync(boot).find((name) => name.startsWith('vmlinuz-'));
  if (!file) throw new Error(`No kernel image in ${boot}.`);
  return { release: file.slice('vmlinuz-'.length), image: join(boot, file) };
}
