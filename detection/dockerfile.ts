import { judgeUrl } from './download.ts';
import { judgeImage } from './image.ts';
import { wordsIn } from './shape.ts';
import type { Machine } from './shell/machine.ts';

/** Whether a text is a build file for images, as Kaniko and BuildKit take out of a ConfigMap. */
export function isDockerfile(key: string, text: string): boolean {
  if (/^(docker|container)file\b|\.(docker|container)file$/i.test(key)) return true;
  return /^(\s|#.*\n|ARG .*\n)*FROM \S+/.test(text) && /^(RUN|CMD|ENTRYPOINT|COPY|ADD) /m.test(text);
}

/** Judges what a build would run, and what the image would start. */
export function judgeDockerfile(text: string, path: string, machine: Machine): void {
  machine.path = path;
  for (const instruction of instructionsOf(text)) {
    const [, name = '', rest = ''] = /^\s*([A-Za-z]+)\s+([\s\S]*)$/.exec(instruction) ?? [];
    judgeInstruction(name.toUpperCase(), rest.trim(), path, machine);
  }
}

function judgeInstruction(name: string, rest: string, path: string, machine: Machine): void {
  const plain = rest.replace(/^(--\S+\s+)+/, '');
  if (name === 'FROM') judgeImage(plain.split(/\s/, 1)[0] ?? '', path, machine.docket);
  else if (name === 'ENV' || name === 'ARG') machine.runScript(`export ${plain}`, path);
  else if (name === 'ADD') judgeUrl({ text: plain.split(/\s/, 1)[0] ?? '', path }, machine);
  else if (name === 'WORKDIR') machine.scope.folder = machine.scope.resolve(plain);
  else if (name === 'RUN' || name === 'CMD' || name === 'ENTRYPOINT' || name === 'HEALTHCHECK') {
    const command = plain.replace(/^CMD\s+/, '');
    const words = wordsIn(command);
    if (words) machine.call(words.map((text) => ({ text, path })));
    else machine.runScript(command, path);
  }
}

/** Lines that end in a backslash go on; `RUN <<EOF` takes the lines up to its mark. */
function instructionsOf(text: string): string[] {
  const found: string[] = [];
  let mark: string | undefined;
  let isOpen = false;
  for (const line of text.split('\n', 4096)) {
    if (mark === undefined && /^\s*(#|$)/.test(line)) continue;
    if (isOpen || mark !== undefined) found[found.length - 1] += `\n${line.replace(/\\\s*$/, '')}`;
    else found.push(line.replace(/\\\s*$/, '\\\n').replace(/\\\n$/, ' '));
    if (mark !== undefined) {
      if (line.trim() === mark) mark = undefined;
      continue;
    }
    isOpen = /\\\s*$/.test(line);
    if (!isOpen) mark = /^\s*RUN\b.*<<-?\s*["']?(\w+)/i.exec(line)?.[1];
  }
  return found;
}
