import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VERSION } from '../../api/names.ts';
import { ensurePackages } from '../../build/debian-packages.mjs';
import { billFile, buildImages, imageFile } from '../../build/image.ts';

const MAGIC = 0x7f454c46;
/** Machines by their numbers in an ELF header (elf.h). */
const MACHINE: Readonly<Record<number, string>> = { 62: 'x86_64', 183: 'aarch64', 247: 'bpf' };

/** For which machine an ELF file is; undefined of any other file. */
function machineOf(file: string): string | undefined {
  const header = Buffer.alloc(20);
  const descriptor = openSync(file, 'r');
  const length = readSync(descriptor, header);
  closeSync(descriptor);
  if (length < header.length || header.readUInt32BE() !== MAGIC) return undefined;
  const machine = header.readUInt16LE(18);
  return MACHINE[machine] ?? `machine ${machine}`;
}

interface Config {
  architecture: string;
  os: string;
  config: { Entrypoint: string[]; Cmd: string[]; Labels: Record<string, string> };
}

const mayInstall = process.getuid?.() === 0;
if (!mayInstall) console.log('Skipped: compilers and an emulator for arm64 are installed by root only.');

describe.skipIf(!mayInstall || process.arch === 'arm64')('an image for arm64, built on amd64', () => {
  let root: string;
  let config: Config;

  beforeAll(async () => {
    await ensurePackages(['qemu-user'], { log: console.log });
    await buildImages(() => {}, ['arm64']);
    root = mkdtempSync(join(tmpdir(), 'kubesentry-arm64-'));
    const archive = imageFile('agent', 'arm64');
    const read = (path: string) =>
      JSON.parse(execFileSync('tar', ['-xOf', archive, path], { encoding: 'utf8' }));
    const [{ Config: name, Layers, RepoTags }] = read('manifest.json');
    expect(RepoTags).toEqual([expect.stringMatching(new RegExp(`kubesentry-agent:${VERSION}$`))]);
    config = read(name);
    for (const layer of Layers)
      execFileSync('sh', ['-c', 'tar -xOf "$0" "$1" | tar -x -C "$2"', archive, layer, root]);
  }, 180_000);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  /** What the image runs, with these words instead of its own, in an emulator of the processor alone. */
  function inImage(...words: string[]) {
    const [program = '', ...args] = config.config.Entrypoint;
    const inside = (word: string) => (word.startsWith('/') ? join(root, word) : word);
    const command = ['-L', root, inside(program), ...args.map(inside), ...words];
    return spawnSync('qemu-aarch64', command, { encoding: 'utf8', cwd: '/', env: {} });
  }

  test('says so in its configuration', () => {
    expect(config).toMatchObject({ architecture: 'arm64', os: 'linux', config: { Cmd: ['agent'] } });
    expect(config.config.Labels['org.opencontainers.image.version']).toBe(VERSION);
  });

  test('has no binary for another machine in any layer', () => {
    const machines = new Map<string, string[]>();
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const machine = machineOf(path);
      if (machine) machines.set(machine, [...(machines.get(machine) ?? []), path.slice(root.length)]);
    }
    expect([...machines.keys()].sort()).toEqual(['aarch64', 'bpf']);
    const native = machines.get('aarch64') ?? [];
    expect(native).toContain('/usr/local/bin/node');
    expect(native).toContain('/kubesentry/build/node-libbpf-arm64.node');
    expect(native).toContain('/lib/aarch64-linux-gnu/libc.so.6');
    expect(machines.get('bpf')?.every((path) => path.startsWith('/kubesentry/bpf/'))).toBe(true);
  });

  test('runs: the command line, the rules, and the binding to the kernel', { timeout: 60_000 }, () => {
    expect(inImage('--version').stdout).toBe(`${VERSION}\n`);
    const manifest = join(import.meta.dirname, '..', 'fixtures', 'nginx-deployment.yaml');
    expect(JSON.parse(inImage('scan', '-f', manifest, '-o', 'json').stdout)).toMatchObject([
      { verdict: 'allow' },
    ]);
    // This emulator knows no bpf(2). That the answer is ours, and names the kernel, takes the addon loaded.
    const { status, stdout } = inImage('agent', '--check');
    expect(status).toBe(1);
    expect(stdout).toMatch(/KERNEL_UNSUPPORTED: .*bpf_object__probe_loading/);
  });

  test('lists the libraries that are linked into it, each with its version and licence', () => {
    const { components } = JSON.parse(readFileSync(billFile('arm64'), 'utf8')) as {
      components: { name: string; version: string; licenses?: { expression: string }[]; purl: string }[];
    };
    const found = (name: string) => components.find((component) => component.name === name);
    for (const name of ['libbpf-dev', 'libelf-dev', 'zlib1g-dev']) {
      expect(found(name)).toMatchObject({ licenses: [{ expression: expect.any(String) }] });
      expect(found(name)?.purl).toContain('arch=arm64');
    }
    // zlib bears its version in its code.
    const addon = readFileSync(join(root, 'kubesentry', 'build', 'node-libbpf-arm64.node'), 'latin1');
    const [, linked = ''] = /flate (1\.[\d.]+) Copyright/.exec(addon) ?? [];
    expect(found('zlib1g-dev')?.version).toContain(linked);
    expect(linked).not.toBe('');
    for (const name of ['openssl', 'v8', 'uv']) {
      expect(components).toContainEqual(
        expect.objectContaining({ name, version: process.versions[name], licenses: expect.any(Array) }),
      );
    }
    expect(readFileSync(join(root, 'kubesentry', 'sbom.cdx.json'), 'utf8')).toBe(
      readFileSync(billFile('arm64'), 'utf8'),
    );
  });
});
