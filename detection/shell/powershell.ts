import { judgeCode } from '../code.ts';
import { type Data, UNKNOWN_DATA } from './data.ts';
import type { Machine } from './machine.ts';
import type { Call } from './programs.ts';

const ENCODED = /^[-/]e(?:c|n|nc|ncod\w*)?$/i;
const COMMAND = /^[-/]c(?:ommand)?$/i;

/** `powershell -EncodedCommand BASE64` and `powershell -Command TEXT`, as about_PowerShell_exe has them. */
export function runPowerShell({ words, machine }: Call): Data {
  const at = words.findIndex(({ text }, index) => index > 0 && (ENCODED.test(text) || COMMAND.test(text)));
  const option = words[at]?.text ?? '';
  const given = words.slice(Math.max(at, 0) + 1);
  const path = given[0]?.path ?? machine.path;
  if (at > 0 && ENCODED.test(option)) {
    const text = Buffer.from(given[0]?.text ?? '', 'base64').toString('utf16le');
    machine.docket.report('encoded-script', path, 'It decodes a text and runs it as a script.');
    judgePowerShell(text, path, machine);
  } else judgePowerShell(given.map(({ text }) => text).join(' '), path, machine);
  return UNKNOWN_DATA;
}

/** Statement by statement, close enough to a shell for programs and their arguments. */
export function judgePowerShell(text: string, path: string, machine: Machine): void {
  const plain = text
    .replaceAll('\\', '/')
    .replace(
      /\bStart-Process\s+(?:-FilePath\s+)?(\S+)\s+(?:-ArgumentList\s+|-Args\s+)?["']([^"']{0,2048})["']/gi,
      '$1 $2',
    );
  judgeCode(text, path, machine);
  machine.runScript(plain.replace(/;/g, '\n'), path);
}
