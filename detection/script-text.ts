import { judgeCode } from './code.ts';
import type { Machine } from './shell/machine.ts';

/** Lines that no shell has: of Python, JavaScript, Lua, Go, C, PHP. */
const CODE =
  /^(?:import [\w.{*]|from [\w.]+ import |def \w+\(|(?:const|let|var) [\w{[]|package \w+$|#include\b|<\?php|function \w+\(\w)|\b(?:os\.(?:execute|system)|io\.popen)\(/m;

/** Judges a script that stands in a field or a file by itself; its first line tells the language. */
export function judgeScriptText(text: string, path: string, machine: Machine): void {
  machine.path = path;
  const [first = ''] = text.trimStart().split('\n', 1);
  if (!first.startsWith('#!') && CODE.test(text)) judgeCode(text, path, machine);
  if (first.startsWith('#!') && /python|perl|node|ruby|php|deno|lua/.test(first))
    judgeCode(text, path, machine);
  else machine.runScript(text, path);
}
