import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** As Debian and image registries call them. */
export type Architecture = 'amd64' | 'arm64';

/** Folder of what is fetched or built once for all clones. */
export const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kubesentry');

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

/**
 * apt with lists and archives of its own in `folder`, so that another suite or architecture never mixes with the
 * machine's. Nothing is installed: packages are downloaded to be unpacked.
 */
export function privateApt(
  folder: string,
  suite: string,
  architecture: Architecture = 'amd64',
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

/**
 * Downloads packages into `folder` and unpacks them over each other into its subfolder root, which is there as a whole or
 * not at all. */
export function unpackPackages(
  folder: string,
  apt: ReturnType<typeof privateApt>,
  names: readonly string[],
): void {
  apt('apt-get', 'download', ...names);
  const fresh = join(folder, 'unpacking');
  rmSync(fresh, { recursive: true, force: true });
  for (const file of packageFiles(folder)) execFileSync('dpkg-deb', ['-x', file, fresh]);
  renameSync(fresh, join(folder, 'root'));
}

export const packageFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.deb'))
    .sort()
    .map((name) => join(folder, name));
