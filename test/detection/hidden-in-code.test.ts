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

test('a sealed text that is run could be anything, one that is kept is nothing', () => {
  const run = (script: string) => judge('bash', '-c', script).verdict;
  const bzip2 = 'QlpoOTFBWSZTWQAAAAAAAAH/gAAQQAAAIAAgADDMBUxB4u5IpwoSAAAAAAA=';
  expect(run(`echo ${bzip2} | base64 -d | bunzip2 | bash`)).toBe('deny');
  expect(run(`echo ${bzip2} | base64 -d | bunzip2 > /etc/app.conf`)).toBe('allow');
  expect(run(`echo U2FsdGVkX18nq3p2nJ5m9Vh2e0qj3bVx | openssl enc -aes-256-cbc -d -a -k kube | sh`)).toBe(
    'deny',
  );
  expect(run('echo REPLACE_ME | base64 -d | sh')).toBe('warn');
  expect(run('echo "$SCRIPT" | base64 -d | gunzip | sh')).not.toBe('deny');
});

test('a program in a text that is run is no script, and nobody knows what it is', () => {
  const elf = Buffer.from(`\x7fELF\x02\x01\x01${'\0'.repeat(64)}`, 'latin1').toString('base64');
  expect(judge('sh', '-c', `echo ${elf} | base64 -d > /tmp/x; chmod +x /tmp/x; /tmp/x`).verdict).toBe('deny');
});

test('a script compressed by zstd is read', async () => {
  const { zstdCompressSync } = await import('node:zlib');
  const sealed = (text: string) => zstdCompressSync(Buffer.from(text)).toString('base64');
  const run = (text: string) => judge('sh', '-c', `echo ${sealed(text)} | base64 -d | zstd -d | sh`);
  expect(run(COMMAND).findings.map(({ rule }) => rule)).toContain('pool-host');
  expect(run('echo hello; date; sleep 3600').verdict).toBe('warn');
});

test('a port that a program gives a name is read within strings', () => {
  const code = `import os\npool = 'pool.supportxmr.com'\nport = 14433\nos.system(f'/opt/a -o {pool}:{port} -u w')`;
  expect(judge('python', '-c', code).verdict).toBe('deny');
});

test('long runs of anything in code are read in linear time', () => {
  const runs = ['\n', ' ', 'a ', 'a=1\n', "'", '"a" ', '{', 'a ^', '1 ', 'x(', '$a', '\\x41'];
  const started = performance.now();
  for (const run of runs) {
    const text = run.repeat(Math.floor(40_000 / run.length));
    judge('python3', '-c', `k = "ab"; exec(bytes(b ^ 1 for b in bytes.fromhex("00")))${text}`);
    judge('sh', '-c', `echo '1 2 3 4 5 ${text.replaceAll("'", '')}x' | awk '{printf "%c",$1}' | sh`);
    judge('sh', '-c', `for i in 1 2 3 4 5 6 7 8 9; do echo ${text.replace(/\W/g, ' ')}; done | sh`);
  }
  expect(performance.now() - started).toBeLessThan(runs.length * 1_500);
});
