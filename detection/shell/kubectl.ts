import type { Word } from '../arguments.ts';
import { deployText } from '../deploy.ts';
import { judgeMadeExecutable, judgeUrl } from '../download.ts';
import { judgeImage } from '../image.ts';
import { judgeArguments } from '../miner-arguments.ts';
import { type Data, NOTHING, UNKNOWN_DATA } from './data.ts';
import { runNested } from './interpreters.ts';
import type { Machine } from './machine.ts';
import type { Call } from './programs.ts';

/** What a script hands to the API server it would run: `kubectl apply -f -` judges as the API server's own request. */
export function runKubectl(call: Call): Data {
  const { words, stdin, machine } = call;
  const verb = words.find(({ text }, at) => at > 0 && /^(apply|create|replace)$/.test(text));
  const files = words.flatMap(({ text }, at) => {
    const [, glued] = /^(?:-f=?|--filename=)(.+)$/s.exec(text) ?? [];
    if (glued !== undefined) return [glued];
    // Before a here-document the grammar leaves out a lone dash.
    return text === '-f' || text === '--filename' ? [words[at + 1]?.text ?? '-'] : [];
  });
  judgeChange(words, machine);
  if (!verb || files.length === 0) return runNested(call);
  for (const file of files) {
    if (file.includes('://')) {
      const path = verb.path;
      judgeUrl({ text: file, path }, machine);
      // What a vendor publishes is as good as an installer; what anybody may put there is not.
      judgeMadeExecutable({ downloadedFrom: [file] }, path, machine);
    }
    const data = file === '-' || file === '/dev/stdin' ? stdin : (machine.scope.read(file) ?? UNKNOWN_DATA);
    deployText(data.text, verb.path, machine);
  }
  return NOTHING;
}

/** `kubectl set image deployment/web web=IMAGE` and `kubectl patch deployment web -p JSON`. */
function judgeChange(words: readonly Word[], machine: Machine): void {
  const change = words[1]?.text === 'set' ? 'set' : words.find(({ text }) => text === 'patch')?.text;
  if (change === undefined) return;
  for (const [at, { text, path }] of words.entries()) {
    const [, image] = change === 'set' ? (/^[\w.*-]+=(\S+)$/.exec(text) ?? []) : [];
    if (image !== undefined) judgeImage(image, path, machine.docket);
    const [, glued] = change === 'patch' ? (/^(?:-p|--patch=?)(.*)$/s.exec(text) ?? []) : [];
    if (glued !== undefined) deployText(glued || words[at + 1]?.text, path, machine);
  }
}

/** `helm install --set image.repository=IMAGE --set pool=HOST:PORT`: values as options, read as a miner would. */
export function runHelm({ words, machine }: Call): Data {
  const options: Word[] = [];
  for (const [at, { text, path }] of words.entries()) {
    const [, glued] = /^--set(?:-string)?(?:=(.*))?$/s.exec(text) ?? [];
    if (!/^--set(?:-string)?(?:=|$)/.test(text)) continue;
    for (const pair of (glued ?? words[at + 1]?.text ?? '').split(',', 64)) {
      const equals = pair.indexOf('=');
      const [key, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
      if (equals < 1) continue;
      if (/(?:^|[.])(?:image|repository)$/i.test(key)) judgeImage(value, path, machine.docket);
      else options.push({ text: `--${key.replace(/^.*[.]/, '')}=${value}`, path });
    }
  }
  judgeArguments(options, machine.docket);
  return NOTHING;
}
