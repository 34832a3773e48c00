import { hasSteps, judgeSteps } from './ci-steps.ts';
import { judgeCommandLines } from './command-lines.ts';
import { judgeExpression, MAKES_CONTAINER } from './expression.ts';
import { judgeMinerConfig } from './miner-config.ts';
import { judgeBrowserMiner } from './mining-page.ts';
import { decodeBase64 } from './shell/decode.ts';
import type { Machine } from './shell/machine.ts';
import { judgeUserData } from './user-data.ts';
import { judgeUnit } from './written-file.ts';

/** Judges the text of a field that an operator writes to a node or hands to a tool: units, playbooks, profiles, files. */
export function judgeSettings(text: string, path: string, machine: Machine): void {
  machine.path = path;
  const [head, type = ''] = /^data:([^,]{0,128}),/.exec(text) ?? [];
  if (head !== undefined) {
    const body = text.slice(head.length);
    const plain = type.endsWith(';base64') ? decodeBase64(body) : body.replace(/%([0-9a-f]{2})/gi, character);
    if (plain !== undefined) judgeUserData(plain, path, machine);
    return;
  }
  if (text.includes('ExecStart')) judgeUnit(text, machine);
  if (hasSteps('.yaml', text)) judgeSteps(text, path, machine);
  if (/\bpools["']?\s*[:=]/.test(text)) judgeMinerConfig(text, path, machine.docket);
  judgeBrowserMiner('.html', text, path, machine.docket);
  if (MAKES_CONTAINER.test(text)) judgeExpression(text, path, machine);
  judgeCommandLines(text, path, machine);
}

function character(_: string, code: string): string {
  return String.fromCharCode(Number.parseInt(code, 16));
}
