import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';

const own = join(import.meta.dirname, '..');
const readme = readFileSync(join(own, 'README.md'), 'utf8');
let folder: string;

/** The block of the README in this language. */
function block(language: string, which = 0): string {
  const blocks = [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))];
  return blocks[which]?.[1] ?? '';
}

/** Installed as a user would have it: below node_modules, compiled by its own install script. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'node-libbpf-'));
  const installed = join(folder, 'node_modules', 'node-libbpf');
  execFileSync(process.execPath, [join(own, 'pack.mjs'), installed]);
  mkdirSync(join(installed, 'node_modules'));
  const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json'));
  symlinkSync(headers, join(installed, 'node_modules', 'node-api-headers'));
  const { scripts } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  execFileSync('/bin/sh', ['-c', scripts.install], { cwd: installed, stdio: ['ignore', 'ignore', 'pipe'] });
});

afterAll(() => rmSync(folder, { recursive: true }));

test('the example of the README runs with the published package', async () => {
  writeFileSync(join(folder, 'lifetime.bpf.c'), block('c'));
  writeFileSync(join(folder, 'lifetime.mjs'), block('js'));
  execFileSync('/bin/sh', ['-ec', block('sh', 1)], { cwd: folder });
  const example = spawn(process.execPath, ['lifetime.mjs'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: example.stdout })[Symbol.asyncIterator]();
  // Whether the example listens already can only be told by asking until it answers.
  const asking = setInterval(() => spawnSync('/bin/sleep', ['0.01']), 50);
  const { value } = await lines.next();
  clearInterval(asking);
  example.kill('SIGINT');
  const [status] = await once(example, 'close');
  expect(value).toMatch(/^\S+ \(\d+\) lived \d+ us$/);
  expect(status).toBe(0);
});

test('the published declarations are there, and no source that Node would refuse', () => {
  const installed = join(folder, 'node_modules', 'node-libbpf');
  const files = execFileSync('find', ['.', '-maxdepth', '1', '-type', 'f'], {
    cwd: installed,
    encoding: 'utf8',
  });
  expect(files).toContain('index.d.ts');
  expect(files).toContain('README.md');
  expect(files.split('\n').filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))).toEqual([]);
});
