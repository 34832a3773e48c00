import type { Word } from '../arguments.ts';
import { deployText } from '../deploy.ts';
import { judgeMadeExecutable, judgeUrl } from '../download.ts';
import { judgeEnvironment, type Variable } from '../environment.ts';
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
    const [, glued] = change === 'patch' ? (/^(?:-p|--patch)=?(.*)$/s.exec(text) ?? []) : [];
    if (glued !== undefined) deployText(glued || words[at + 1]?.text, path, machine);
  }
}

/** Options of helm that take no value. */
const HELM_FLAG =
  /^(?:-[ig]|--(?:install|wait|wait-for-jobs|atomic|debug|dry-run|create-namespace|devel|force|generate-name|reset-values|reuse-values))$/;

/** `helm install [NAME] CHART` */
function chartOf(words: readonly Word[]): Word | undefined {
  const verb = words.findIndex(({ text }) => /^(?:install|upgrade|template)$/.test(text));
  if (verb < 1) return undefined;
  return words.findLast(({ text }, at) => {
    const before = words[at - 1]?.text ?? '';
    const isValue = before.startsWith('-') && !before.includes('=') && !HELM_FLAG.test(before);
    return at > verb && !text.startsWith('-') && !isValue;
  });
}

/**
 * `helm install --set image.repository=IMAGE --set pool=HOST:PORT`: values as options, read as a miner would, and as
 * variables; those of a list (`args[0]=--url=HOST:PORT`) as the words that they are.
 */
export function runHelm({ words, machine }: Call): Data {
  const options: Word[] = [];
  const variables: Variable[] = [];
  const items = new Map<string, string>();
  for (const [at, { text, path }] of words.entries()) {
    const [option, kind, glued] = /^--set(-string|-literal)?(?:=(.*))?$/s.exec(text) ?? [];
    if (option === undefined) continue;
    const pairs = glued ?? words[at + 1]?.text ?? '';
    for (const pair of kind === '-literal' ? [pairs] : pairs.split(',', 64)) {
      const equals = pair.indexOf('=');
      const [key, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
      if (equals < 1) continue;
      const name = key.replace(/^.*[.]/, '');
      const [, item] = /^(.*\])\.(?:name|value)$/.exec(key) ?? [];
      if (/^(?:image|repository)$/i.test(name)) judgeImage(value, path, machine.docket);
      else if (name.endsWith(']')) options.push({ text: value, path });
      // `env[0].name=POOL,env[0].value=HOST:PORT`
      else if (item !== undefined && name === 'name') items.set(item, value);
      else {
        const named = items.get(item ?? '');
        options.push({ text: `--${named ?? name}=${value}`, path });
        variables.push({ name: named ?? key, value, path });
      }
    }
  }
  judgeArguments(options, machine.docket);
  judgeEnvironment(variables, machine.docket);
  const chart = chartOf(words);
  if (chart) judgeImage(chart.text.replace(/^oci:\/\//, ''), chart.path, machine.docket);
  return NOTHING;
}
