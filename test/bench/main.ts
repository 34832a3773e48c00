/** `npm run bench -- NAME [--json]`: runs one benchmark of this folder. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -'.ts'.length));

const [name, ...rest] = process.argv.slice(2);
const isHelp = (word: string | undefined) => word === '--help' || word === '-h';
if (name === undefined || !names.includes(name)) {
  process.stderr.write(
    `Usage: npm run bench -- NAME [--json]\n       npm run bench -- NAME --help\n\nBenchmarks: ${names.join(', ')}\n`,
  );
  process.exit(isHelp(name) ? 0 : 1);
}
const file = join(import.meta.dirname, `${name}.ts`);
if (rest.some(isHelp)) {
  process.stdout.write(`Usage: npm run bench -- ${name} [--json]\n\n${whatItSays(file)}\n`);
  process.exit(0);
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
await import(file);

/** Each benchmark begins by saying what it measures, and which options it has. */
function whatItSays(file: string): string {
  const [, text = ''] = /^\/\*\*\n?(.*?)\*\//s.exec(readFileSync(file, 'utf8')) ?? [];
  return text.replace(/^ \*? ?/gm, '').trim();
}
