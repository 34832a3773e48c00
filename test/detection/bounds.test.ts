import { beforeAll, describe, expect, test } from 'vitest';
import type { Indicators } from '../../detection/indicators.ts';
import { judgeObject } from '../../detection/judge.ts';
import { loadIndicators } from '../../detection/load.ts';

let indicators: Indicators;
beforeAll(async () => {
  indicators = await loadIndicators();
});

interface Container {
  name?: string;
  command?: string[];
  env?: { name: string; value: string }[];
}

const pod = (container: Container, initContainers: Container[] = []) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: { initContainers, containers: [{ name: 'a', image: 'a', ...container }] },
});
const script = (text: string) => pod({ command: ['bash', '-c', text] });
const verdictOf = (object: object) => judgeObject(object, { indicators }).verdict;

const MINE = './w -o stratum+tcp://pool.example.net:3333 -u me';
/** `$a` is 64 KiB long. */
const LONG = `a=aaaaaaaaaaaaaaaa; ${'a=$a$a; '.repeat(12)}`;
const nested = (depth: number, body: string) =>
  `${'for v in 1 2 3 4 5 6 7 8; do '.repeat(depth)}${body}; ${'done; '.repeat(depth)}`;

/** Far above what any of them takes now, and far below what each of them took: 17 seconds to hours. */
const LIMIT_MS = 5_000;

describe('a small manifest that costs a lot to follow is done with in time', () => {
  const words = 'a b '.repeat(16_000);
  test.each<[string, object]>([
    ['loops within loops', script(nested(12, 'x=$v'))],
    ['loops within loops that run something', script(nested(12, 'true'))],
    [
      'a long value that becomes many words, again and again',
      script(`x=$(printf '${words}'); ${'$x;'.repeat(20_000)}`),
    ],
    [
      'a long variable of the container',
      pod({ command: ['sh', '-c', '$A;'.repeat(50_000)], env: [{ name: 'A', value: words }] }),
    ],
    ['a long value in which letters are replaced', script(LONG + `b=\${a//a/bb}; `.repeat(15_000))],
    [
      'what scripts deploy',
      script(
        `kubectl apply -f - <<E\n${`---\napiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: b, command: [sh, -c, '${nested(9, 'x=$v')}']}]}\n`.repeat(20)}E`,
      ),
    ],
  ])('%s', (_, object) => {
    const began = process.cpuUsage();
    const { findings } = judgeObject(object, { indicators });
    const { user, system } = process.cpuUsage(began);
    expect((user + system) / 1000).toBeLessThan(LIMIT_MS);
    expect(findings).toContainEqual(expect.objectContaining({ rule: 'analysis-limit' }));
  });
});

test('what cannot be followed in time is refused, with a miner at its end or without', () => {
  for (const end of ['', MINE])
    expect(verdictOf(script(`${LONG}${'x $a;'.repeat(1_000)}${end}`))).toBe('deny');
});

describe('texts that would grow without end are cut, and nothing throws', () => {
  const b = 'b'.repeat(90_000);
  test.each<[string, object]>([
    ['a variable whose letters are replaced', script(`${LONG}b=\${a//a/${b}}; x $b`)],
    ['a line that sed changes', script(`${LONG}echo $a | sed 's/a/${b}/g' | sh`)],
    ['places that xargs fills', script(`${LONG}echo $a | xargs -I% ./x ${'%'.repeat(60_000)}`)],
    [
      'names in a string of a program',
      pod({
        command: ['python3', '-c', `a = "${'b'.repeat(40_000)}"\nos.system(f"${'{a}'.repeat(8_000)}")`],
      }),
    ],
    [
      'parameters of a workflow',
      {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Workflow',
        metadata: { name: 'w' },
        spec: {
          arguments: { parameters: [{ name: 'a', value: b }] },
          templates: [
            {
              name: 't',
              container: {
                name: 'c',
                image: 'a',
                command: ['x', ...Array(50).fill('{{workflow.parameters.a}}'.repeat(2_000))],
              },
            },
          ],
        },
      },
    ],
  ])('%s', (_, object) => {
    const before = process.memoryUsage().rss;
    expect(() => judgeObject(object, { indicators })).not.toThrow();
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
  });
});

describe('what stands behind a lot of other things', () => {
  const others = (count: number, command: string[]) =>
    Array.from({ length: count }, (_, at) => ({ name: `c${at}`, image: 'a', command }));

  test('many weak findings do not crowd out a strong one', () => {
    for (const count of [63, 64, 65, 500]) {
      const object = pod({ command: ['sh', '-c', MINE] }, others(count, ['/tmp/x']));
      expect(verdictOf(object), `${count}`).toBe('deny');
    }
  });

  test.each<[string, object]>([
    ['six hundred words', pod({ command: ['env', ...Array(600).fill('A=1'), 'sh', '-c', MINE] })],
    ['more words than are read', pod({ command: ['env', ...Array(9_000).fill('A=1'), 'sh', '-c', MINE] })],
    ['three thousand commands', script('true;'.repeat(3_000) + MINE)],
    ['three thousand containers', pod({ command: ['sh', '-c', MINE] }, others(3_000, ['true']))],
    [
      'six hundred variables',
      script(
        `${Array.from({ length: 600 }, (_, at) => `v${at}=1`).join('; ')}; a=stratum+tcp; ./w -o $a://pool.example.net:3333`,
      ),
    ],
    [
      'six hundred files',
      script(
        `${Array.from({ length: 600 }, (_, at) => `echo a > /x/f${at}`).join('; ')}; echo '${MINE}' > /x/g; sh /x/g`,
      ),
    ],
    [
      'eight values of a loop',
      script('for a in 1 2 3 4 5 6 7 8 stratum+tcp; do ./w -o $a://pool.example.net:3333; done'),
    ],
    [
      'six hundred entries',
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'c' },
        data: {
          ...Object.fromEntries(Array.from({ length: 600 }, (_, at) => [`a${at}`, 'x'])),
          'z.sh': `#!/bin/sh\n${MINE}`,
        },
      },
    ],
  ])('is read: behind %s', (_, object) => {
    expect(verdictOf(object)).toBe('deny');
  });

  test('is refused unread where scripts hold scripts deeper than anybody writes them', () => {
    let text = MINE;
    for (let at = 0; at < 10; at++) text = `echo ${Buffer.from(text).toString('base64')} | base64 -d | sh`;
    expect(verdictOf(script(text))).toBe('deny');
  });

  test('or that it was not read is a finding of its own', () => {
    const values = Array.from({ length: 100 }, (_, at) => `v${at}`).join(' ');
    const { findings } = judgeObject(script(`for a in ${values}; do ./x $a; done`), { indicators });
    expect(findings).toContainEqual(expect.objectContaining({ rule: 'analysis-limit', score: 10 }));
  });
});

describe('what people write is followed to its end', () => {
  test.each<[string, object]>([
    [
      'a matrix of three loops',
      script(
        `for a in ${'x '.repeat(32)}; do for b in ${'y '.repeat(8)}; do for c in 1 2; do ${'echo "$a $b $c"; '.repeat(20)} done; done; done`,
      ),
    ],
    ['a long list', script(`for a in ${'x '.repeat(400)}; do echo $a; sleep 1; done`)],
    [
      'a long configuration',
      script(`cat > /etc/app.conf <<EOF\n${'key = value # and words\n'.repeat(2_500)}EOF\nexec app`),
    ],
  ])('%s', (_, object) => {
    expect(verdictOf(object)).not.toBe('deny');
  });
});

test('a part of a value is cut as bash cuts it, from the end too', () => {
  for (const part of ['2:32', '2: -2', '2:-2', ' -34:32']) {
    const text = `z=XXstratum+tcp://h.example.net:3333YY; ./w -o \${z:${part}} -u me`;
    expect(verdictOf(script(text)), part).toBe('deny');
  }
});
