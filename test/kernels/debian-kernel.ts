import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

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

export const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');

/** The Debian mirror that this machine already uses, as apt knows it. */
function mirror(): string {
  const targets = execFileSync(
    'apt-get',
    ['indextargets', '--format', '$(REPO_URI) $(CODENAME) $(ORIGIN) $(LABEL)', 'Created-By: Packages'],
    { encoding: 'utf8' },
  );
  const line = targets.split('\n').find((target) => target.endsWith(' Debian Debian'));
  if (!line) throw new Error('apt on this machine names no Debian mirror; run `apt-get update` first.');
  return line.split(' ')[0] as string;
}

/** apt with lists and archives of its own, so that another suite never mixes with the machine's. */
export function privateApt(
  folder: string,
  suite: Suite,
  architecture: 'amd64' | 'arm64' = 'amd64',
): (command: string, ...args: string[]) => string {
  for (const path of ['state/lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(folder, path), { recursive: true });
  }
  const sources = join(folder, 'sources.list');
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  writeFileSync(sources, `deb [arch=${architecture} signed-by=${keyring}] ${mirror()} ${suite} main\n`);
  const options = [
    `Dir::State=${join(folder, 'state')}`,
    `Dir::Cache=${join(folder, 'cache')}`,
    `Dir::Etc::SourceList=${sources}`,
    'Dir::Etc::SourceParts=-',
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
    `APT::Architecture=${architecture}`,
    `APT::Architectures::=${architecture}`,
    'Acquire::Check-Valid-Until=false',
  ].flatMap((option) => ['-o', option]);
  return (command, ...args) =>
    execFileSync(command, [...options, ...args], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
}

/** The unpacked kernel of `suite`, fetched at first use. Takes a few seconds and 30 MB of download then. */
export function fetchKernel(suite: Suite, log: (line: string) => void): Kernel {
  const folder = join(cache, 'kubesentry', 'kernels', suite);
  const boot = join(folder, 'root', 'boot');
  if (!existsSync(boot)) {
    log(`Fetching Debian's ${SUITES[suite]} kernel (${suite}) ...`);
    rmSync(folder, { recursive: true, force: true });
    const apt = privateApt(folder, suite);
    apt('apt-get', '--quiet', 'update');
    apt('apt-get', 'download', kernelPackage(apt, 'linux-image-cloud-amd64'));
    const archive = readdirSync(folder).find((file) => file.endsWith('.deb'));
    execFileSync('dpkg-deb', ['-x', join(folder, archive as string), join(folder, 'root')]);
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
