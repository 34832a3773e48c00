import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon, staticLibraries } from '../bpf/node-libbpf/build.mjs';
import { ensurePackages } from './debian-packages.mjs';
import { type Architecture, CACHE, packageFiles, privateApt, unpackPackages } from './private-apt.ts';

/** What an image has that depends on the processor; the eBPF objects and the code do not. */
export interface Binaries {
  node: string;
  addon: string;
  /** The Debian packages that the addon's static libraries are of. */
  linked: LinkedPackage[];
}

export interface LinkedPackage {
  package: string;
  source: string;
  version: string;
  architecture: string;
}

/** As Node and the GNU tools call them. */
const NAMES = {
  amd64: { node: 'x64', gnu: 'x86_64' },
  arm64: { node: 'arm64', gnu: 'aarch64' },
} as const;

export const ARCHITECTURES = Object.keys(NAMES) as Architecture[];

/** This machine's. */
export const HERE: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** Which package a library of the linker's is in. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  bpf: 'libbpf-dev',
  elf: 'libelf-dev',
  z: 'zlib1g-dev',
  zstd: 'libzstd-dev',
};

// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg has the same syntax
const FORMAT = '--showformat=${Package} ${source:Package} ${source:Version} ${Architecture}\n';

/** Those of this machine, or the same for another processor: fetched, and compiled here. */
export async function binariesFor(
  architecture: Architecture,
  log: (line: string) => void,
): Promise<Binaries> {
  const packages = staticLibraries().map((name) => PACKAGE_OF[name] ?? `lib${name}-dev`);
  if (architecture === HERE) {
    const linked = readPackages('dpkg-query', packages);
    return { node: process.execPath, addon: await buildAddon({ log }), linked };
  }
  const { node: arch, gnu } = NAMES[architecture];
  const tools = [`gcc-${gnu.replace('_', '-')}-linux-gnu`, `libc6-dev-${architecture}-cross`];
  await ensurePackages(tools, { log });
  const folder = join(CACHE, 'binaries', architecture);
  const sysroot = join(folder, 'root');
  if (!existsSync(sysroot)) {
    log(`Fetching what the binding to libbpf is linked to on ${architecture} ...`);
    rmSync(folder, { recursive: true, force: true });
    const apt = privateApt(folder, 'bookworm', architecture);
    apt('apt-get', '--quiet', 'update');
    unpackPackages(folder, apt, packages);
  }
  return {
    node: await fetchNode(arch, folder, log),
    addon: await buildAddon({
      log,
      arch,
      compiler: `${gnu}-linux-gnu-gcc`,
      sysroot,
      output: join(folder, `node-libbpf-${arch}.node`),
    }),
    linked: readPackages('dpkg-deb', packageFiles(folder)),
  };
}

function readPackages(command: 'dpkg-query' | 'dpkg-deb', what: readonly string[]): LinkedPackage[] {
  return what.map((each) => {
    const line = execFileSync(command, ['-W', FORMAT, each], { encoding: 'utf8' }).trim();
    const [name = '', source = '', version = '', architecture = ''] = line.split(' ');
    return { package: name, source, version, architecture };
  });
}

/** The same version of Node as here, from the package that npm itself installs on the other machine. */
async function fetchNode(arch: string, folder: string, log: (line: string) => void): Promise<string> {
  const version = process.version.slice(1);
  const target = join(folder, `node-${version}`);
  const node = join(target, 'package', 'bin', 'node');
  if (!existsSync(node)) {
    log(`Fetching Node ${version} for ${arch} ...`);
    mkdirSync(target, { recursive: true });
    const archive = execFileSync('npm', ['pack', '--silent', `node-linux-${arch}@${version}`], {
      cwd: target,
      encoding: 'utf8',
    });
    execFileSync('tar', ['-xzf', archive.trim(), 'package/bin/node'], { cwd: target });
  }
  return node;
}
