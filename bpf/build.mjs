// Compiles bpf/*.bpf.c to dist/bpf/*.bpf.o: code and BTF, without DWARF. Plain JavaScript for Node 18 and newer.
// A file is compiled again when it, a header, the flags or the compiler changed. The objects carry CO-RE relocations
// and run on every kernel with BTF; the structs they use are in kernel.h, so that no vmlinux.h is generated.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const OUTPUT = join(dirname(HERE), 'dist', 'bpf');
// Debian keeps the architecture's <asm/types.h> apart; -target bpf does not look there by itself.
const TRIPLET = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch] ?? '';
// BPF_PROG has a context that nobody uses; a scratch buffer has its text behind the event.
const ALLOWED = ['-Wno-unused-parameter', '-Wno-gnu-variable-sized-type-not-at-end'];
const FLAGS = [
  '-O2',
  '-g',
  '-target',
  'bpf',
  '-Wall',
  '-Wextra',
  '-Werror',
  ...ALLOWED,
  '-I',
  `/usr/include/${TRIPLET}`,
];

/** BTF tells where each line comes from; that must not depend on where this repository lies. */
const NAMED = '/kubesentry/bpf';

/**
 * Compiles every *.bpf.c of a folder.
 * @param {{log?: (line: string) => void, sources?: string, output?: string}} [options]
 */
export async function buildPrograms({ log = () => {}, sources = HERE, output = OUTPUT } = {}) {
  const compiler = spawnSync('clang', ['--version'], { encoding: 'utf8' });
  if (compiler.status !== 0) throw new Error('clang is missing; it compiles the eBPF programs.');
  const files = readdirSync(sources).sort();
  const common = createHash('sha256')
    .update(JSON.stringify([FLAGS, NAMED]))
    .update(compiler.stdout);
  for (const name of files.filter((name) => name.endsWith('.h'))) {
    common.update(name).update(readFileSync(join(sources, name)));
  }
  mkdirSync(output, { recursive: true });
  for (const name of files.filter((name) => name.endsWith('.bpf.c'))) {
    const source = join(sources, name);
    const stamp = common.copy().update(readFileSync(source)).digest('hex');
    compileOnce(source, join(output, name.replace(/c$/, 'o')), stamp, log);
  }
  return output;
}

function compileOnce(source, object, stamp, log) {
  const stampFile = `${object}.stamp`;
  if (existsSync(object) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  log(`Compiling ${basename(source)} ...`);
  const fresh = `${object}.${process.pid}`;
  try {
    const place = `-ffile-prefix-map=${dirname(source)}=${NAMED}`;
    execFileSync('clang', [...FLAGS, place, '-c', source, '-o', fresh], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    execFileSync('llvm-strip', ['-g', fresh], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    throw new Error(`${basename(source)} did not compile: ${error.stderr ?? error.message}`);
  }
  renameSync(fresh, object);
  writeFileSync(stampFile, stamp);
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  console.log(await buildPrograms({ log: (line) => console.error(line) }));
}
