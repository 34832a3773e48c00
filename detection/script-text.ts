import { judgeCode } from './code.ts';
import type { Machine } from './shell/machine.ts';

/** Judges a script that stands in a field or a file by itself; its first line tells the language. */
export function judgeScriptText(text: string, path: string, machine: Machine): void {
  machine.path = path;
  const [first = ''] = text.trimStart().split('\n', 1);
  if (first.startsWith('#!') && /python|perl|node|ruby|php|deno|lua/.test(first))
    judgeCode(text, path, machine);
  else machine.runScript(text, path);
}
