import { beforeAll, describe, expect, test } from 'vitest';
import type { Indicators } from '../../detection/indicators.ts';
import { judgeObject } from '../../detection/judge.ts';
import { loadIndicators } from '../../detection/load.ts';
import { readYaml } from '../../detection/yaml.ts';

let indicators: Indicators;
beforeAll(async () => {
  indicators = await loadIndicators();
});

const container = (container: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'a', image: 'a', ...container }] },
});
const command = (...words: string[]) => container({ command: words });
const custom = (field: string, text: string) => ({
  apiVersion: 'example.com/v1',
  kind: 'Example',
  spec: { [field]: text },
});

const file = (name: string, text: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c' },
  data: { [name]: text },
});

/** Each took from one second to minutes when its text was repeated to this length: its cost grew with the square of it. */
const SLOW: Record<string, [part: string, make: (text: string) => object]> = {
  'redirections of one command': ['>/', (text) => command('sh', '-c', `${text} z`)],
  'descriptors of one command': ['2>&1 ', (text) => command('sh', '-c', `${text} z`)],
  'here-documents of one command': ['<!--', (text) => command('sh', '-c', `${text} z`)],
  'images in one word': ['-image=', (text) => command('/app', `${text} x`)],
  'paths of an API in one address': ['/api/', (text) => command('curl', text)],
  'digits of a mode': ['7', (text) => command('chmod', `${text}z`, '/tmp/x')],
  'brackets of a patch': ['{', (text) => command('kubectl', 'patch', '-p', text)],
  'brackets of values': ['{', (text) => custom('values', text)],
  'keys of values': ['? ', (text) => custom('values', text)],
  'brackets of a configuration of cloud-init': ['[', (text) => custom('userData', `#cloud-config\n${text}`)],
};

/** Patterns that read every line, key or literal of what they are given. None was slow. */
const LINEAR: Record<string, [part: string, make: (text: string) => object]> = {
  'operations of a patch': ['- {op: add, path: /args/-, value: a}\n', (text) => custom('patch', text)],
  'words of a location': [
    '.args',
    (text) => ({ spec: { location: text, parameters: { assign: { value: 'a' } } } }),
  ],
  'manifests in a file': ['apiVersion: v1\n', (text) => file('a.yaml', `${text}image: a`)],
  'examples of a rule': [' condition:\n', (text) => file('a.yml', `${text}curl`)],
  'programs that fetch in a line': ['curl ', (text) => file('a.yaml', text)],
  'lines that fetch and make executable': ['curl x; chmod\n', (text) => file('a.yaml', text)],
  'variables in a file': ['A=1\n', (text) => file('.env', text)],
  'names of variables in a file': ['a_', (text) => file('.env', `${text}=1`)],
  'strings of a login': ['"a', (text) => file('pools.json', text)],
  'settings of a miner': ['"method":"', (text) => file('pools.json', text)],
  'keys of a feed': ['"family" ', (text) => file('pools.json', text)],
  'options in a file': ['-o a:1\n', (text) => file('pool.cfg', text)],
  'pages that forward': ['server a.b.', (text) => file('pool.conf', text)],
  'scripts of a page': ['<script src="', (text) => file('pool.html', text)],
  'greetings in code': ['identifier:', (text) => file('a.js', text)],
  'joined literals': ['"a",', (text) => file('a.py', `"".join([${text}])`)],
  'added literals': ['"a"+', (text) => file('a.js', text)],
  'decoders that run': ['exec(b64decode(', (text) => file('a.py', text)],
  'numbers of letters': ['11,', (text) => file('a.py', `chr(${text})`)],
  'keys of values for helm': ['a[0].name=b,', (text) => command('helm', 'install', '--set', text)],
  'charts of helm': ['a/', (text) => command('helm', 'install', 'a', text)],
  'commands for a kubelet': ['a;', (text) => command('curl', '-d', `cmd=${text}`, 'https://a:10250/run/b')],
  'addresses of kubelets': ['https://', (text) => command('curl', `${text}:10250/run/b`)],
  'crontabs for Redis': ['* * ', (text) => command('redis-cli', 'set', 'a', text)],
  'addresses for a renamed curl': ['http://a ', (text) => command('sh', '-c', `cd1 ${text} | sh`)],
  'expressions that make containers': ['args: [', (text) => custom('expression', `image: "a", ${text}`)],
  'data in place of an address': ['%41', (text) => custom('source', `data:,${text}`)],
  'steps of a websocket': ['/a', (text) => container({ env: [{ name: 'POOL', value: `wss://a${text}` }] })],
  'letters of a wallet': ['AJ', (text) => command('/app', text)],
  'colons of an image': [':a', (text) => container({ image: `curl${text}`, args: ['a'] })],
  registers: ['0x1', (text) => command('wrmsr', '-a', text)],
};

/** Of the shell's grammar alone, which has a limit of its own, and ten times what any of them takes. */
const LIMIT_MS = 5_000;

describe('time', () => {
  test.each(Object.entries({ ...SLOW, ...LINEAR }))(
    '%s cost no more than in proportion',
    (_, [part, make]) => {
      const began = process.cpuUsage();
      judgeObject(make(part.repeat(40_000 / part.length)), { indicators });
      const { user, system } = process.cpuUsage(began);
      expect((user + system) / 1000).toBeLessThan(LIMIT_MS);
    },
  );

  test('arithmetic with names that every object has', () => {
    for (const name of ['constructor', 'toString', '__proto__']) {
      const script = `echo $((1 ${name} 2)) $((${name}))`;
      expect(judgeObject(command('sh', '-c', script), { indicators }).verdict).toBe('allow');
    }
  });
});

describe('YAML', () => {
  test('what nests too deep is said, and the rest is read', () => {
    const text = `a: 1\n---\n${'['.repeat(100)}${']'.repeat(100)}\n---\nb: 2\n`;
    expect(readYaml(text)).toEqual({ values: [{ a: 1 }, { b: 2 }], isTooDeep: true, isValid: true });
  });

  test('a manifest that hides by its depth is a finding', () => {
    const junk = `x: ${'['.repeat(100)}${']'.repeat(100)}`;
    const script = `kubectl apply -f - <<EOF\nkind: Pod\n${junk}\nEOF`;
    const { findings } = judgeObject(command('sh', '-c', script), { indicators });
    expect(findings).toContainEqual(expect.objectContaining({ rule: 'analysis-limit' }));
  });
});
