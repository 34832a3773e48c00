import { deployText } from '../deploy.ts';
import { type Data, NOTHING, UNKNOWN_DATA } from './data.ts';
import { runNested } from './interpreters.ts';
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
  if (!verb || files.length === 0) return runNested(call);
  for (const file of files) {
    const data = file === '-' || file === '/dev/stdin' ? stdin : (machine.scope.read(file) ?? UNKNOWN_DATA);
    deployText(data.text, verb.path, machine);
  }
  return NOTHING;
}
