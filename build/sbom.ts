import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LinkedPackage } from './binaries.ts';

/** One thing that an image is made of, as CycloneDX has it (https://cyclonedx.org/docs/1.6/json/). */
export interface Component {
  type: 'library' | 'application';
  name: string;
  version: string;
  purl: string;
  'bom-ref': string;
  licenses?: { expression: string }[];
  hashes?: { alg: 'SHA-512'; content: string }[];
}

interface LockEntry {
  version?: string;
  license?: string;
  integrity?: string;
  link?: boolean;
}

const component = (
  type: Component['type'],
  name: string,
  version: string,
  purl: string,
  more: Partial<Component> = {},
): Component => ({ type, name, version, purl, 'bom-ref': purl, ...more });

/**
 * The npm packages of which something is in the bundle, by the paths that esbuild read, with version, license and hash
 * of the lock file. Throws an Error for a package that the lock file does not know.
 */
export function npmComponents(inputs: readonly string[], root: string): Component[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockEntry>;
  };
  const folders = new Set(
    inputs.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []),
  );
  return [...folders].sort().map((folder) => {
    const { version, license, integrity = '' } = lock.packages[folder] ?? {};
    if (version === undefined) throw new Error(`package-lock.json does not know ${folder}.`);
    const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const content = Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
    return component('library', name, version, `pkg:npm/${name.replace('@', '%40')}@${version}`, {
      ...(license && { licenses: [{ expression: license }] }),
      ...(integrity.startsWith('sha512-') && { hashes: [{ alg: 'SHA-512', content }] }),
    });
  });
}

/**
 * What is linked into our addon. Debian says which version it is; what licence a library may be used under is said here,
 * from the copyright file of each package.
 */
const LINKED_LICENSES: Readonly<Record<string, string>> = {
  libbpf: 'LGPL-2.1-only OR BSD-2-Clause',
  elfutils: 'LGPL-3.0-or-later OR GPL-2.0-or-later',
  zlib: 'Zlib',
  libzstd: 'BSD-3-Clause OR GPL-2.0-only',
};

/** The static libraries of the addon, by the Debian packages that they are of. */
export function linkedComponents(packages: readonly LinkedPackage[]): Component[] {
  const sorted = [...packages].sort((a, b) => (a.package < b.package ? -1 : 1));
  return sorted.map(({ package: name, source, version, architecture }) => {
    const license = LINKED_LICENSES[source];
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}&distro=debian-12&upstream=${source}`;
    return component('library', name, version, purl, license ? { licenses: [{ expression: license }] } : {});
  });
}

/** Debian packages by the names of their files, such as libc6_2.36-9+deb12u14_amd64.deb; apt writes `:` as %3a. */
export function debianComponents(files: readonly string[]): Component[] {
  return files
    .flatMap((file) => {
      const [, name, version, arch] = /^([^_]+)_([^_]+)_([^_]+)\.deb$/.exec(file) ?? [];
      if (name === undefined || version === undefined) return [];
      const plain = decodeURIComponent(version);
      const encoded = encodeURIComponent(plain);
      return [
        component('library', name, plain, `pkg:deb/debian/${name}@${encoded}?arch=${arch}&distro=debian-12`),
      ];
    })
    .sort((a, b) => (a.purl < b.purl ? -1 : 1));
}

/** Licences of what Node's binary is made of, from its LICENSE file; those not named here are Node's own parts. */
const NODE_LICENSES: Readonly<Record<string, string>> = {
  ada: 'Apache-2.0 OR MIT',
  ares: 'MIT',
  brotli: 'MIT',
  icu: 'Unicode-3.0',
  llhttp: 'MIT',
  nghttp2: 'MIT',
  openssl: 'Apache-2.0',
  simdjson: 'Apache-2.0 OR MIT',
  simdutf: 'Apache-2.0 OR MIT',
  sqlite: 'blessing',
  uv: 'MIT',
  uvwasi: 'MIT',
  v8: 'BSD-3-Clause',
  zlib: 'Zlib',
  zstd: 'BSD-3-Clause OR GPL-2.0-only',
};

/** Node itself and the libraries in its binary, which differ with its version and not with the processor. */
export function nodeComponents(versions: Readonly<Record<string, string | undefined>>): Component[] {
  const parts = Object.entries(NODE_LICENSES).flatMap(([name, license]) => {
    const version = versions[name];
    if (!version) return [];
    const purl = `pkg:generic/${name}@${version}`;
    return [component('library', name, version, purl, { licenses: [{ expression: license }] })];
  });
  const { node = '' } = versions;
  return [
    component('application', 'node', node, `pkg:generic/node@${node}`, { licenses: [{ expression: 'MIT' }] }),
    ...parts,
  ];
}

/** A bill of materials that is the same bytes for the same parts: no time, and a serial number made of its content. */
export function billOfMaterials(version: string, components: readonly Component[]): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([version, components]))
    .digest('hex');
  const [a, b, c, d, e] = [
    digest.slice(0, 8),
    digest.slice(8, 12),
    digest.slice(13, 16),
    digest.slice(17, 20),
    digest.slice(20, 32),
  ];
  return `${JSON.stringify(
    {
      $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      // RFC 9562: version 8, of whatever its maker likes.
      serialNumber: `urn:uuid:${a}-${b}-8${c}-8${d}-${e}`,
      version: 1,
      metadata: {
        component: component('application', 'kubesentry', version, `pkg:generic/kubesentry@${version}`),
      },
      components,
    },
    undefined,
    2,
  )}\n`;
}
