// Compiles the addon: gcc, the Node-API headers, and libbpf, libelf and zlib linked statically, so that the result
// needs only libc (and what Node itself exports). Plain JavaScript for Node 18 and newer. Nothing is done when neither
// a source, the compiler nor libbpf changed since the last time.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const BUILD = join(HERE, 'build');
const FLAGS = [
  '-O2',
  '-g',
  '-shared',
  '-fPIC',
  '-std=gnu11',
  '-D_GNU_SOURCE',
  '-fvisibility=hidden',
  '-Wall',
  '-Wextra',
  '-Werror',
];

/**
 * Static libraries that libbpf asks for, by their names for the linker: libelf of newer distributions needs zstd too.
 * @returns {string[]}
 */
export function staticLibraries() {
  const asked = spawnSync('pkg-config', ['--static', '--libs', 'libbpf', 'libelf'], { encoding: 'utf8' });
  const names = asked.status === 0 ? (asked.stdout.match(/-l\S+/g) ?? []) : ['-lbpf', '-lelf', '-lz'];
  const unique = [...new Set(names)].filter((name) => name !== '-lpthread' && name !== '-lc');
  return unique.map((name) => name.slice('-l'.length));
}

function version(command, args) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? stdout : '';
}

/** Debian's folders of another architecture are named by its GNU triplet, as its compiler is. */
function below(sysroot, compiler) {
  if (sysroot === undefined) return [];
  const triplet = compiler.replace(/-gcc$/, '');
  const include = join(sysroot, 'usr', 'include');
  return ['-I', include, '-I', join(include, triplet), '-L', join(sysroot, 'usr', 'lib', triplet)];
}

/**
 * For this machine, or for another one: `compiler` then makes its code, and below `sysroot` are its headers and
 * libraries.
 * @param {{log?: (line: string) => void, arch?: string, compiler?: string, sysroot?: string, output?: string}} [options]
 * @returns {Promise<string>} the addon's path
 */
export async function buildAddon({
  log = () => {},
  arch = process.arch,
  compiler = 'gcc',
  sysroot,
  output: OUTPUT = join(BUILD, `node-libbpf-${arch}.node`),
} = {}) {
  const STAMP = `${OUTPUT}.stamp`;
  const sources = readdirSync(join(HERE, 'src'))
    .sort()
    .map((name) => join(HERE, 'src', name));
  const archives = staticLibraries().map((name) => `-l${name}`);
  const link = ['-Wl,-Bstatic', ...archives, '-Wl,-Bdynamic', '-lpthread'];
  const headers = createRequire(import.meta.url)('node-api-headers').include_dir;
  // What the debugger is told must not depend on where this lies: the same sources are the same bytes.
  const places = [`-ffile-prefix-map=${HERE}=/node-libbpf`, `-ffile-prefix-map=${headers}=/node-api-headers`];
  const hash = createHash('sha256').update(JSON.stringify([FLAGS, places, link, arch, sysroot]));
  hash.update(version(compiler, ['--version'])).update(version('pkg-config', ['--modversion', 'libbpf']));
  for (const file of sources) hash.update(file).update(readFileSync(file));
  const stamp = hash.digest('hex');
  if (existsSync(OUTPUT) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp) return OUTPUT;

  log('Compiling the binding to libbpf ...');
  mkdirSync(dirname(OUTPUT), { recursive: true });
  const fresh = `${OUTPUT}.${process.pid}`;
  const files = sources.filter((file) => file.endsWith('.c'));
  // No symbol of the static libraries leaves the addon: another one may carry another libbpf.
  const own = ['-Wl,--exclude-libs,ALL', '-Wl,--gc-sections', '-Wl,--wrap=stderr'];
  try {
    execFileSync(
      compiler,
      [
        ...FLAGS,
        ...places,
        '-I',
        headers,
        ...below(sysroot, compiler),
        '-o',
        fresh,
        ...files,
        ...own,
        ...link,
      ],
      { cwd: '/', env: { ...process.env, PWD: '/' }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
  } catch (error) {
    throw new Error(`The binding to libbpf did not compile: ${error.stderr ?? error.message}`);
  }
  renameSync(fresh, OUTPUT);
  writeFileSync(STAMP, stamp);
  return OUTPUT;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  console.log(await buildAddon({ log: (line) => console.error(line) }));
}
