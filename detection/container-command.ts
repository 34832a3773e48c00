import type { Word } from './arguments.ts';
import { judgeImage } from './image.ts';
import { judgeArguments } from './miner-arguments.ts';
import { type Data, UNKNOWN_DATA } from './shell/data.ts';
import type { Machine } from './shell/machine.ts';

/** Flags of `docker run` and `kubectl run` that take no value; every other long option takes the next word. */
const FLAG =
  /^(--(rm|detach|interactive|tty|privileged|init|read-only|publish-all|no-healthcheck|oom-kill-disable|stdin|quiet|attach|command|net-host|null-io|all-platforms)|-[ditPq]+)$/;

/** `docker run IMAGE ARGS`, `docker exec C COMMAND`, `kubectl run --image=IMAGE -- ARGS`, `kubectl exec P -- COMMAND`. */
export function judgeContainerCommand(words: readonly Word[], dashes: number, machine: Machine): Data {
  const verb = words.findIndex(({ text }) => /^(run|create|exec|debug|pull)$/.test(text));
  const image = words.find(({ text }) => text.startsWith('--image='));
  const named = words.findIndex(({ text }) => text === '--image');
  const imageWord = image ? { ...image, text: image.text.slice('--image='.length) } : words[named + 1];
  if ((image || named > 0) && imageWord) judgeImage(imageWord.text, imageWord.path, machine.docket);
  if (dashes > 0) return runInside(words.slice(dashes + 1), machine);
  const kube = /^(kubectl|oc)$/.test(words[0]?.text ?? '');
  if (verb < 0 || kube) return UNKNOWN_DATA;
  let at = verb + 1;
  for (; at < words.length; at++) {
    const text = (words[at] as Word).text;
    if (!text.startsWith('-')) break;
    if (!FLAG.test(text) && !text.includes('=')) at++;
  }
  const target = words[at];
  if (target && words[verb]?.text !== 'exec') judgeImage(target.text, target.path, machine.docket);
  return runInside(words.slice(at + 1), machine);
}

/** Arguments alone go to the entrypoint of the image, whatever that is. */
export function runInside(words: readonly Word[], machine: Machine): Data {
  const [first] = words;
  if (!first) return UNKNOWN_DATA;
  if (!first.text.startsWith('-')) return machine.call(words);
  if (/^-[a-z]*c$/.test(first.text) && words.length > 1)
    return machine.call([{ text: 'sh', path: first.path }, ...words]);
  judgeArguments(words, machine.docket);
  return UNKNOWN_DATA;
}
