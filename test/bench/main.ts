/** `npm run bench -- NAME [--json]`: runs one benchmark of this folder. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -'.ts'.length));

const [name, ...rest] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  process.stderr.write(`Usage: npm run bench -- NAME [--json]\n\nBenchmarks: ${names.join(', ')}\n`);
  process.exit(name === '--help' || name === '-h' ? 0 : 1);
}
// What a benchmark has made it takes away when it exits, and that it does instead of just ending. Ctrl-C comes twice,
// from the terminal and from npm: the second one must not end what the first one began.
for (const [signal, status] of [
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => process.exit(status));
}
process.argv.splice(2, process.argv.length, ...rest);
await import(join(import.meta.dirname, `${name}.ts`));
