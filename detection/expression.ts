import type { Word } from './arguments.ts';
import { runInside } from './container-command.ts';
import { judgeImage } from './image.ts';
import type { Machine } from './shell/machine.ts';

/** Whether a text makes containers in a language of its own: CEL, Jsonnet, CUE. */
export const MAKES_CONTAINER = /\bimage\s*:\s*["']/;

const FIELD = /\b(image|command|args)\s*:\s*(?:["']([^"'\n]{1,512})["']|\[([^[\]]{1,4096})\])/g;

/** One that nothing closes ends with the text, so that none is read twice. */
const LITERAL = /"((?:[^"\\]|\\.)*)(?:"|\\?$)|'((?:[^'\\]|\\.)*)(?:'|\\?$)/gs;

/** Judges the images and the commands that an expression gives to containers, as a MutatingAdmissionPolicy does. */
export function judgeExpression(text: string, path: string, machine: Machine): void {
  if (!machine.docket.spend(text.length, path)) return;
  let words: Word[] = [];
  for (const [, field, image, list = ''] of text.matchAll(FIELD)) {
    if (image !== undefined) judgeImage(image, path, machine.docket);
    if (field !== 'args') {
      runInside(words, machine);
      words = [];
    }
    for (const [, double, single = ''] of list.matchAll(LITERAL))
      words.push({ text: double ?? single, path });
  }
  runInside(words, machine);
}
