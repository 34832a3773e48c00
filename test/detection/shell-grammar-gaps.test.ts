import { expect, test } from 'vitest';
import { judgeObject } from '../../detection/judge.ts';
import { loadIndicators } from '../../detection/load.ts';

const indicators = await loadIndicators();
const verdictOf = (script: string) =>
  judgeObject(
    { kind: 'Pod', spec: { containers: [{ name: 'a', image: 'alpine', command: ['bash', '-c', script] }] } },
    { indicators },
  ).verdict;
const encoded = Buffer.from('/x -o stratum+tcp://p.example:1').toString('base64');

// What tree-sitter-bash reads in another way than bash does.
test.each([
  [
    'a lone dash before a here-document',
    'kubectl apply -f - <<E\nkind: Pod\nspec: {containers: [{name: a, image: xmrig/xmrig}]}\nE\n',
  ],
  ['a variable behind what is no name', 'a=stratum+tcp; /x $a://$POOL.example:3333'],
  ['a variable that touches three others', 'a=stra; b=tum; c=+tcp; d=:; /x $a$b$c$d//$POOL.example:3333'],
  ['a here-string behind another redirection', `bash -c "$(base64 -d 2>/dev/null <<< ${encoded})"`],
  ['a list that is joined by IFS', `p=(stra tum+ tcp:// p.example :1); IFS=; u="\${p[*]}"; /x -o "$u"`],
  ['words that IFS parts', 'IFS=_; set -- /x_-o_stratum+tcp://p.example:1; $1'],
])('%s is read as the shell reads it', (_, script) => expect(verdictOf(script)).toBe('deny'));

test('words that touch again and again cost no more than the bound', () => {
  const started = process.cpuUsage();
  verdictOf(`/x ${'$a://'.repeat(6_000)}q`);
  expect(process.cpuUsage(started).user / 1000).toBeLessThan(3_000);
});

test('a pool whose host only run time knows is no server', () =>
  expect(verdictOf('/x -o stratum+tcp://$POOL:3333')).toBe('deny'));
