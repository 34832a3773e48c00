import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileIndicators, type Indicators } from './indicators.ts';
import type { Rows } from './rows.ts';
import { type ShellParser, startShellParser } from './shell/parser.ts';

/** Lies beside a bundle: the tables, read and checked when it was made. */
export const BUNDLED_ROWS = 'indicators.json';

/**
 * Reads what miners look like, once, at start. `folder` holds one YAML file a table; unless given, those of this
 * version. The two wasm files of the shell parser lie beside a bundle; from sources they come out of their packages.
 * Raises INDICATORS_INVALID, naming the file and the row.
 */
export async function loadIndicators(folder?: string): Promise<Indicators> {
  return compileIndicators(await rowsOf(folder), await loadShellParser());
}

/** What reads YAML takes more memory than an agent should have, so that it is only loaded where it is needed. */
async function rowsOf(folder: string | undefined): Promise<Rows> {
  const bundled = join(import.meta.dirname, BUNDLED_ROWS);
  if (folder === undefined && existsSync(bundled)) return JSON.parse(readFileSync(bundled, 'utf8')) as Rows;
  const { readRows } = await import('./read-rows.ts');
  return readRows(folder);
}

function loadShellParser(): Promise<ShellParser> {
  return startShellParser(
    readWasm('web-tree-sitter/web-tree-sitter.wasm'),
    readWasm('tree-sitter-bash/tree-sitter-bash.wasm'),
  );
}

function readWasm(specifier: string): Uint8Array {
  const beside = join(import.meta.dirname, specifier.slice(specifier.indexOf('/') + 1));
  return readFileSync(existsSync(beside) ? beside : fileURLToPath(import.meta.resolve(specifier)));
}
