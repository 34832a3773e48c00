/**
 * Bundles the command line into dist/bundle/: one entry, one chunk for each part that is loaded on demand, and
 * beside them what they read at run time. The folder needs nothing but Node to run.
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { BUNDLED_ROWS } from '../detection/load.ts';
import { readRows } from '../detection/read-rows.ts';

const root = join(import.meta.dirname, '..');
const require = createRequire(import.meta.url);

/** Folder of the bundle. */
export const BUNDLE = join(root, 'dist', 'bundle');

/**
 * The client library is taken for its configuration alone. Its package does not say that its modules do nothing by
 * themselves, so that eight hundred models of the API would come along: 20 MB of every agent.
 */
const configurationOnly: Plugin = {
  name: 'configuration-only',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^@kubernetes\/client-node$|^\.\.?\// }, async ({ path, pluginData, ...asked }) => {
      const isClient =
        path === '@kubernetes/client-node' || asked.importer.includes('@kubernetes/client-node/');
      if (pluginData === 'resolved' || !isClient) return undefined;
      return { ...(await resolve(path, { ...asked, pluginData: 'resolved' })), sideEffects: false };
    });
  },
};

/** Each is asked for by one that is used, for what nobody here does: proxies, transports of pino, exemplars. */
const NEVER_CALLED = /^(?:hpagent|socks|socks-proxy-agent|thread-stream|@opentelemetry\/api)$/;

/** What comes along and nothing calls is 20 MB of every agent. */
const calledOnly: Plugin = {
  name: 'called-only',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, () => ({ path: join(import.meta.dirname, 'undici.cjs') }));
    onResolve({ filter: NEVER_CALLED }, ({ path }) => ({ path, namespace: 'never-called' }));
    // Bodies are text and bytes here; forms and streams of the web need its fetch.
    onResolve({ filter: /\/web\// }, ({ path, importer }) =>
      importer.includes('node_modules/undici/') ? { path, namespace: 'never-called' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'never-called' }, () => ({ contents: 'module.exports = {};' }));
    // An import reads every property of a built-in, and three of this one load WebSocket and fetch.
    onResolve({ filter: /^(?:node:)?http$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'node:http', namespace: 'required' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require('${path}');`,
    }));
  },
};

/** How esbuild makes files that need nothing but Node. */
export const SELF_CONTAINED = {
  bundle: true,
  // Node keeps the text of what it runs; names stay, since they are in stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'external',
  plugins: [configurationOnly, calledOnly],
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // Dependencies in CommonJS ask for require, which an ES module has to make itself.
  banner: {
    js: "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);",
  },
  logLevel: 'warning',
} satisfies BuildOptions;

/** The addon of this machine, made by build/prepare.mjs. */
const ADDON = join(root, 'bpf', 'node-libbpf', 'build', `node-libbpf-${process.arch}.node`);

/** Answers the paths, in the repository, of what went into the code. Only `addon` depends on the processor. */
export async function bundle(into = BUNDLE, addon = ADDON): Promise<string[]> {
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into, { recursive: true });
  const { metafile } = await build({
    // What is written must not depend on where the command was started.
    absWorkingDir: root,
    metafile: true,
    entryPoints: [join(root, 'cli', 'kubesentry.ts')],
    outdir: into,
    outExtension: { '.js': '.mjs' },
    ...SELF_CONTAINED,
    splitting: true,
  });
  writeFileSync(join(into, BUNDLED_ROWS), JSON.stringify(readRows()));
  const isProgram = (path: string) => !path.endsWith('.stamp');
  cpSync(join(root, 'dist', 'bpf'), join(into, 'bpf'), { recursive: true, filter: isProgram });
  cpSync(join(root, 'manifests', 'audit', 'policy.yaml'), join(into, 'audit-policy.yaml'));
  cpSync(join(root, 'manifests', 'install.yaml'), join(into, 'install.yaml'));
  cpSync(addon, join(into, 'build', basename(addon)));
  const grammars = ['web-tree-sitter/web-tree-sitter.wasm', 'tree-sitter-bash/tree-sitter-bash.wasm'];
  for (const file of grammars) cpSync(require.resolve(file), join(into, file.slice(file.indexOf('/') + 1)));
  // What was replaced has the name of its replacement before it.
  const taken = Object.keys(metafile.inputs).filter((path) => !path.includes(':'));
  return [...taken, ...grammars.map((file) => `node_modules/${file}`)].sort();
}

if (import.meta.main) {
  await bundle();
  console.log(`Bundled into ${BUNDLE}`);
}
