import { judgeCode } from './code.ts';
import { isRecord, listOf, textOf } from './shape.ts';
import type { Machine } from './shell/machine.ts';

/** Judges the cells of a Jupyter notebook (nbformat 4): lines that begin with `!` and cells of %%bash are shell. */
export function judgeNotebook(text: string, path: string, machine: Machine): void {
  for (const cell of listOf(cellsOf(text))) {
    if (!isRecord(cell) || cell.cell_type !== 'code') continue;
    const source = Array.isArray(cell.source) ? cell.source.map(textOf).join('') : textOf(cell.source);
    if (/^%%(?:ba)?sh\b/.test(source)) {
      machine.runScript(source.slice(source.indexOf('\n') + 1), path);
      continue;
    }
    const shell = source.split('\n').filter((line) => /^\s*[!%]/.test(line));
    if (shell.length > 0)
      machine.runScript(shell.map((line) => line.replace(/^\s*[!%]+/, '')).join('\n'), path);
    judgeCode(source, path, machine);
  }
}

function cellsOf(text: string): unknown {
  try {
    const notebook: unknown = JSON.parse(text);
    return isRecord(notebook) ? notebook.cells : [];
  } catch {
    // Jupyter would not open it either.
    return [];
  }
}
