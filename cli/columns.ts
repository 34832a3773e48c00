import { printable } from '../api/printable.ts';

/** Rows in columns as kubectl prints them: three spaces between, nothing behind the last. A row is one line. */
export function columns(header: readonly string[], given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map(printable));
  const widths = header.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  return [header, ...rows]
    .map((row) =>
      row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd((widths[at] ?? 0) + 3))).join(''),
    )
    .map((line) => `${line}\n`)
    .join('');
}
