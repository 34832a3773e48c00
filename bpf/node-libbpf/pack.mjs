// Makes the folder that is published: JavaScript and declarations in place of TypeScript, which Node does not strip
// below node_modules. `node pack.mjs FOLDER`, then `npm publish FOLDER`. Installing the package compiles the addon.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));

/** @param {string} folder */
export function pack(folder) {
  mkdirSync(folder, { recursive: true });
  const compiler = join(
    dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
    'bin',
    'tsc',
  );
  const sources = readdirSync(HERE).filter((name) => name.endsWith('.ts'));
  const options = [
    ...['--target', 'es2024', '--lib', 'es2024,esnext.disposable', '--module', 'nodenext', '--types', 'node'],
    ...['--strict', '--declaration', '--rewriteRelativeImportExtensions', '--skipLibCheck', '--ignoreConfig'],
  ];
  execFileSync(process.execPath, [compiler, ...options, '--outDir', folder, ...sources], {
    cwd: HERE,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  for (const name of ['src', 'build.mjs', 'README.md'])
    cpSync(join(HERE, name), join(folder, name), { recursive: true });
  const manifest = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8'));
  manifest.exports = { types: './index.d.ts', default: './index.js' };
  manifest.scripts = { install: 'node build.mjs' };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

if (argv[1] === fileURLToPath(import.meta.url)) pack(resolve(argv[2] ?? 'package'));
