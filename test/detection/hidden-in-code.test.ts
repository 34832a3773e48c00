import { expect, test } from 'vitest';
import { judgeObject } from '../../detection/judge.ts';
import { loadIndicators } from '../../detection/load.ts';
import { xorDecoded } from '../../detection/xor.ts';
import { XMR } from '../corpus/wallets.ts';

const indicators = await loadIndicators();

const judge = (...command: string[]) =>
  judgeObject(
    { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ name: 'a', image: 'a', command }] } },
    { indicators },
  );

const xor = (text: string, key: string) =>
  [...text].map((letter, at) => letter.charCodeAt(0) ^ key.charCodeAt(at % key.length));
const hex = (bytes: readonly number[]) => Buffer.from(bytes).toString('hex');
const COMMAND = `/tmp/x -o pool.supportxmr.com:443 -u ${XMR} --tls`;

test('a host that a program puts together under a name is read', () => {
  const code = `const h=['po','ol.su','pportx','mr.com'].join('');spawn('/svc',['-o',h+':3333','-u','w'])`;
  expect(judge('node', '-e', `const {spawn}=require('child_process');${code}`).verdict).toBe('deny');
});

test('a name within a string is read as what it stands for', () => {
  const code = `import os; h = "pool.supportxmr.com"; os.system(f"/opt/a -o {h}:443 -u w")`;
  expect(judge('python3', '-c', code).verdict).toBe('deny');
});

test('names that double each other stay within bounds', () => {
  const lines = Array.from({ length: 60 }, (_, at) => `a${at + 1} = a${at} + a${at}`);
  const started = performance.now();
  judge('python3', '-c', ['a0 = "xxxxxxxxxxxxxxxx"', ...lines, 'exec(a60)'].join('\n'));
  expect(performance.now() - started).toBeLessThan(2_000);
});

test('a command under a key of one byte, or a short one, is read', () => {
  const bytes = hex(xor(COMMAND, 'Z'));
  const one = `import os;d=bytes.fromhex('${bytes}');os.system(bytes(b^0x5a for b in d).decode())`;
  expect(judge('python', '-c', one).verdict).toBe('deny');
  const many = `import os;d=bytes.fromhex('${hex(xor(COMMAND, 'key1'))}');k=b'key1';os.system(bytes(c^k[i%4] for i,c in enumerate(d)).decode())`;
  expect(judge('python', '-c', many).verdict).toBe('deny');
});

test('bytes that are no command under any key stay bytes', () => {
  const bytes = Array.from({ length: 4096 }, (_, at) => String.fromCharCode((at * 197 + 13) & 0xff)).join('');
  expect(xorDecoded(bytes, ['key'])).toBeUndefined();
});
