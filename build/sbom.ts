import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

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

/** Node itself, whose binary the image has. */
export const nodeComponent = (version: string): Component =>
  component('application', 'node', version, `pkg:generic/node@${version}`);

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
