import { isDockerfile, judgeDockerfile } from './dockerfile.ts';
import { judgeDownloadedRun } from './download.ts';
import { judgeScriptText } from './script-text.ts';
import { isRecord, listOf, textOf } from './shape.ts';
import { judgeSql } from './shell/builtins.ts';
import { VALUE_LIMIT } from './shell/data.ts';
import { decodeBase64, inflate } from './shell/decode.ts';
import type { Machine } from './shell/machine.ts';
import { readYaml } from './yaml.ts';

/** SQL of a database's start, a build file, or what cloud-init reads: a MIME message, an include list, a script or a configuration; all may be encoded. */
export function judgeUserData(given: string, path: string, machine: Machine): void {
  const text = decoded(given);
  machine.path = path;
  judgeSql(text, path, machine);
  if (isDockerfile('', text)) judgeDockerfile(text, path, machine);
  else if (/^#include\b/.test(text)) {
    const urls = text.split('\n').filter((line) => /^https?:/.test(line));
    if (urls.length > 0) judgeDownloadedRun({ downloadedFrom: urls }, path, machine, true);
  } else if (/^#cloud-config\b/m.test(text)) judgeCloudConfig(text, path, machine);
  else judgeScriptText(text, path, machine);
}

/** A script in plain text has blanks or begins with `#`; base64 in one line has neither. */
function decoded(text: string): string {
  const plain = /^\S{24,}\s*$/.test(text) ? (decodeBase64(text) ?? text) : text;
  return inflate(plain) ?? plain;
}

/** The modules that run something or write a file: bootcmd, runcmd, write_files. */
function judgeCloudConfig(text: string, path: string, machine: Machine): void {
  if (text.length > VALUE_LIMIT) {
    machine.docket.report('analysis-limit', path, 'The cloud-init configuration is too long to be read.');
    return;
  }
  if (!machine.docket.spend(text.length, path)) return;
  const config = configOf(text.slice(text.search(/^#cloud-config\b/m)));
  if (!config) {
    machine.runScript(text.replace(/^[ \t]*- /gm, ''), path);
    return;
  }
  for (const file of listOf(config.write_files)) judgeFile(file, path, machine);
  for (const command of [...listOf(config.bootcmd), ...listOf(config.runcmd)]) {
    if (Array.isArray(command)) machine.call(command.map((word) => ({ text: textOf(word), path })));
    else machine.runScript(textOf(command), path);
  }
  // A unit or a line of cron may run what a command fetched.
  for (const file of listOf(config.write_files)) judgeFile(file, path, machine);
}

function configOf(text: string): Record<string, unknown> | undefined {
  const { values, isValid } = readYaml(text);
  // Cloud-init would refuse it too; it is still read as lines.
  return isValid ? values.find(isRecord) : undefined;
}

function judgeFile(file: unknown, path: string, machine: Machine): void {
  if (!isRecord(file)) return;
  const content = textOf(file.content);
  const text = /b64|base64|gz/.test(textOf(file.encoding)) ? decoded(content.trim()) : content;
  machine.keep(textOf(file.path), { text });
  if (text.startsWith('#!')) judgeScriptText(text, path, machine);
}
