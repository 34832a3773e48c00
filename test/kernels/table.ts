import { columns } from '../../cli/columns.ts';
import type { Cell } from './abilities.ts';
import type { Column } from './run.ts';

/** Kernels as columns, abilities as rows, reasons below. */
export function table(kernels: readonly Column[]): string {
  const abilities = [...new Set(kernels.flatMap(({ results }) => results.map(({ ability }) => ability)))];
  const notes: string[] = [];
  const noteOf = (text: string) => {
    if (!notes.includes(text)) notes.push(text);
    return `[${notes.indexOf(text) + 1}]`;
  };
  const cell = (found: Cell | undefined): string => {
    if (!found) return '-';
    if (found.state === 'works') return 'works';
    const text = found.state === 'cannot' ? found.reason : `${found.to}: ${found.reason}`;
    return `${found.state} ${noteOf(text)}`;
  };
  const rows = abilities.map((ability) => [
    ability,
    ...kernels.map(({ results }) => cell(results.find((result) => result.ability === ability)?.cell)),
  ]);
  const times = ['(seconds)', ...kernels.map(({ ms }) => (ms / 1000).toFixed(1))];
  const header = ['ABILITY', ...kernels.map(({ kernel }) => kernel.toUpperCase())];
  return `${columns(header, [...rows, times])}${notes.map((text, at) => `[${at + 1}] ${text}\n`).join('')}`;
}
