import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VERSION } from '../../api/names.ts';
import { bundle } from '../../build/bundle.ts';
import { billOfMaterials, debianComponents, nodeComponents, npmComponents } from '../../build/sbom.ts';
import { COMMANDS, PLUGIN_COMMANDS } from '../../cli/commands.ts';

const ROOT = join(import.meta.dirname, '..', '..');

describe('the bundle', () => {
  let bundled: string[];
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kubesentry-alone-'));
    bundled = await bundle(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const alone = (...args: string[]) =>
    execFileSync(process.execPath, [join(folder, 'kubesentry.mjs'), ...args], {
      cwd: '/',
      env: {},
      encoding: 'utf8',
    });

  test('runs from a folder with nothing else, every command of it', { timeout: 60_000 }, () => {
    expect(alone('--version')).toBe(`${VERSION}\n`);
    for (const command of Object.keys({ ...COMMANDS, ...PLUGIN_COMMANDS }))
      expect(alone(command, '--help')).toContain('Usage:');
    // What is read from files that lie beside it.
    expect(alone('audit', 'policy')).toContain('kind: Policy');
    expect(alone('explain', 'stratum-url')).toContain('Address of a mining pool');
    const innocent = join(ROOT, 'test', 'fixtures', 'nginx-deployment.yaml');
    expect(JSON.parse(alone('scan', '-f', innocent, '-o', 'json'))).toMatchObject([{ verdict: 'allow' }]);
  });

  test('neither agent nor webhook load fetch and Web sockets, which nothing calls', () => {
    const parts = readdirSync(folder).filter((file) => /^(?:main|connect)-.*\.mjs$/.test(file));
    const load = `await Promise.all(${JSON.stringify(parts)}.map((file) => import('./' + file)));`;
    const list = 'console.log(process.moduleLoadList.join())';
    const loaded = execFileSync(process.execPath, ['--input-type=module', '-e', load + list], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(loaded).toContain('NativeModule _http_server');
    expect(loaded).not.toContain('internal/deps/undici/undici');
  });

  test('names every package of which it has something, with the version and hash of the lock file', () => {
    const components = npmComponents(bundled, ROOT);
    const byName = new Map(components.map((component) => [component.name, component]));
    for (const name of ['@peculiar/x509', 'jose', 'pino', 'undici', 'tree-sitter-bash', 'yaml'])
      expect(byName.get(name)).toMatchObject({ hashes: [{ alg: 'SHA-512' }] });
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    expect(byName.get('jose')?.purl).toBe(`pkg:npm/jose@${dependencies.jose}`);
    expect(byName.get('@peculiar/x509')?.purl).toContain('pkg:npm/%40peculiar/x509@');
    // Tools that build and test are no part of it.
    for (const name of ['vitest', 'esbuild', 'typescript']) expect(byName.has(name)).toBe(false);
    // Nor is what is never called.
    for (const name of ['socks', 'thread-stream']) expect(byName.has(name)).toBe(false);
  });

  test('a package that the lock file does not know is an error, not a gap', () => {
    expect(() => npmComponents(['node_modules/unheard-of/index.js'], ROOT)).toThrow('unheard-of');
  });
});

test('Debian packages are read from the names of their files', () => {
  const files = ['libc6_2.36-9+deb12u14_amd64.deb', 'x_1%3a2.0-1_all.deb', 'partial', ''];
  expect(debianComponents(files)).toMatchObject([
    { name: 'libc6', purl: 'pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12' },
    { name: 'x', version: '1:2.0-1' },
  ]);
});

test('the same parts make the same bill, byte for byte, and other parts another', () => {
  const parts = nodeComponents(process.versions);
  expect(billOfMaterials('1', parts)).toBe(billOfMaterials('1', parts));
  const serial = (bill: string) => (JSON.parse(bill) as { serialNumber: string }).serialNumber;
  expect(serial(billOfMaterials('1', parts))).toMatch(
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  expect(serial(billOfMaterials('2', parts))).not.toBe(serial(billOfMaterials('1', parts)));
});
