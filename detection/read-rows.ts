import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import { parse } from 'yaml';
import { KubesentryError } from '../api/errors.ts';
import { parseAddressRange } from './address-ranges.ts';
import { type Rows, TABLES } from './rows.ts';

/** Beside the sources. */
const FOLDER = join(import.meta.dirname, 'indicators');

/**
 * Reads and checks the tables of indicators: `folder` holds one YAML file a table (see rows.ts).
 * Raises INDICATORS_INVALID, naming the file and the row.
 */
export function readRows(folder: string = FOLDER): Rows {
  const tables = Object.keys(TABLES) as (keyof Rows)[];
  return Object.fromEntries(tables.map((table) => [table, readTable(folder, table)])) as Rows;
}

function readTable<Table extends keyof Rows>(folder: string, table: Table): Rows[Table] {
  const file = `${table}.yaml`;
  let rows: unknown;
  try {
    rows = parse(readFileSync(join(folder, file), 'utf8'), { maxAliasCount: 0, schema: 'failsafe' }) ?? [];
  } catch (cause) {
    throw invalid(`${file} cannot be read: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
  if (!Array.isArray(rows)) throw invalid(`${file} must hold a list of rows.`);
  const shape = Compile(TABLES[table]);
  for (const [index, row] of rows.entries()) {
    const converted: unknown = Value.Convert(TABLES[table], row);
    const [error] = shape.Check(converted) ? [] : shape.Errors(converted);
    if (error)
      throw invalid(`${file}, row ${index + 1}: ${error.instancePath || 'the row'} ${error.message}.`);
    if (table === 'addresses' && !parseAddressRange((converted as { address: string }).address)) {
      throw invalid(`${file}, row ${index + 1}: address is neither an IP address nor a CIDR range.`);
    }
    rows[index] = converted;
  }
  return rows as unknown as Rows[Table];
}

function invalid(message: string, cause?: unknown): KubesentryError {
  return new KubesentryError('INDICATORS_INVALID', message, { cause });
}
