import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const MINER = join(ROOT, 'test/fixtures/xmrig-daemonset.yaml');
const WEB = join(ROOT, 'test/fixtures/nginx-deployment.yaml');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'scan-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function scan(args: string[], input = '') {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, 'cli/kubesentry.ts'), 'scan', ...args],
    {
      input,
      encoding: 'utf8',
    },
  );
  return { status, stdout, stderr };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('exit 0 when nothing is denied, 2 when something is', () => {
  expect(scan(['-f', WEB]).status).toBe(0);
  expect(scan(['-f', WEB, '-f', MINER]).status).toBe(2);
});

test('JSON has one object a resource, in the published shape', () => {
  const { stdout } = scan(['-f', MINER, '-o', 'json']);
  const [resource, ...rest] = JSON.parse(stdout);
  expect(rest).toEqual([]);
  expect(resource).toMatchObject({
    source: `${MINER}:1`,
    kind: 'DaemonSet',
    namespace: 'default',
    name: 'node-metrics',
    verdict: 'deny',
    score: 100,
  });
  expect(Object.keys(resource.findings[0]).sort()).toEqual([
    'evidence',
    'message',
    'path',
    'remedy',
    'rule',
    'score',
    'severity',
  ]);
});

test('standard input, several documents, lists and JSON', () => {
  const list = {
    kind: 'List',
    items: [
      { kind: 'Pod', metadata: { name: 'a' } },
      { kind: 'PodList', items: [{ kind: 'Pod', metadata: { name: 'b' } }] },
    ],
  };
  const { stdout, status } = scan(
    ['-o', 'json'],
    `kind: Pod\nmetadata: {name: c}\n---\n---\n${JSON.stringify(list)}\n`,
  );
  expect(status).toBe(0);
  expect(
    JSON.parse(stdout).map(({ name, source }: { name: string; source: string }) => [name, source]),
  ).toEqual([
    ['c', '-:1'],
    ['a', '-:5'],
    ['b', '-:5'],
  ]);
});

test('the table shows the line and underlines what matched', () => {
  const miner = file(
    'miner.yaml',
    'kind: Pod\nspec:\n  containers:\n    - { name: a, image: metal3d/xmrig }\n',
  );
  const lines = scan(['-f', miner]).stdout.split('\n');
  const at = lines.findIndex((line) => line.includes(' 4 |     - { name: a, image: metal3d/xmrig }'));
  expect(lines[at + 1]?.trim()).toBe(`|${' '.repeat(25)}${'^'.repeat('metal3d/xmrig'.length)}`);
});

test('merge keys, keys that are there twice and links in a circle are read as kubectl reads them', () => {
  const circle = join(folder, 'circle');
  mkdirSync(circle);
  symlinkSync('.', join(circle, 'again'));
  writeFileSync(join(circle, 'a.yaml'), 'x: &x { kind: Pod }\n<<: *x\nmetadata: { name: a, name: b }\n');
  const [resource, ...rest] = JSON.parse(scan(['-f', circle, '-o', 'json']).stdout);
  expect(rest).toEqual([]);
  expect(resource).toMatchObject({ kind: 'Pod', name: 'b' });
});

describe('what cannot be read', () => {
  test('a template is told how to be rendered, and a text is no object', () => {
    const chart = file('chart.yaml', 'kind: Pod\nspec:\n  {{- range .Values.c }}\n  - x\n  {{- end }}\n');
    const template = scan(['-f', chart]);
    expect(template.status).toBe(1);
    expect(template.stderr).toContain('helm template CHART | kubesentry scan');
    const text = scan(['-f', file('text.yaml', 'hello\n')]);
    expect(text.status).toBe(1);
    expect(text.stderr).toContain('it holds no object');
  });

  test('is named on standard error, exit 1, and the rest is judged', () => {
    const broken = file('broken.yaml', 'kind: Pod\n---\nkind: [\n');
    const { status, stdout, stderr } = scan([
      '-f',
      broken,
      '-f',
      join(folder, 'absent.yaml'),
      '-f',
      MINER,
      '-o',
      'json',
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain('broken.yaml');
    expect(stderr).toContain('absent.yaml');
    expect(JSON.parse(stdout).map(({ verdict }: { verdict: string }) => verdict)).toEqual(['allow', 'deny']);
  });

  test('aliases that multiply are refused', () => {
    const laugh = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefgh'
        .split('')
        .map((name, at) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[at]}`).join(',')}]`),
    ];
    expect(scan(['-f', file('laugh.yaml', laugh.join('\n'))]).status).toBe(1);
  });

  test('a template of Helm is one; what Argo fills in is none', () => {
    const workflow = file('workflow.yaml', 'kind: Workflow\nargs: ["{{workflow.name}}"]\nspec: [\n');
    expect(scan(['-f', workflow]).stderr).not.toContain('helm template');
  });

  test('bytes are no text, and a hundred thousand brackets are too deep', () => {
    const bytes = join(folder, 'bytes.yaml');
    writeFileSync(bytes, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2]));
    expect(scan(['-f', bytes]).stderr).toContain('it is no text');
    const { stderr } = scan(['-f', file('deep.yaml', '['.repeat(100_000))]);
    expect(stderr).toContain('it is nested too deep');
  });

  test('an item of a list that is no object is named, and its neighbours are judged', () => {
    const list = { kind: 'List', items: [null, { kind: 'Pod', metadata: { name: 'a' } }, 7] };
    const { status, stdout, stderr } = scan(['-f', file('list.json', JSON.stringify(list)), '-o', 'json']);
    expect(status).toBe(1);
    expect(stderr).toContain('an item of its list is no object');
    expect(JSON.parse(stdout).map(({ name }: { name: string }) => name)).toEqual(['a']);
  });

  test('in a folder is named, and the rest of the folder is judged', () => {
    const mixed = join(folder, 'mixed');
    mkdirSync(join(mixed, 'folder.yaml'), { recursive: true });
    symlinkSync('nowhere', join(mixed, 'dangling.yaml'));
    spawnSync('mkfifo', [join(mixed, 'pipe.yaml')]);
    writeFileSync(join(mixed, 'pod.yaml'), 'kind: Pod\nmetadata: {name: a}\n');
    const { status, stdout, stderr } = scan(['-f', mixed, '-o', 'json']);
    expect(status).toBe(1);
    expect(stderr).toContain('dangling.yaml');
    expect(stderr).toContain('pipe.yaml cannot be read: it is no file');
    expect(stderr).not.toContain('folder.yaml');
    expect(JSON.parse(stdout)).toHaveLength(1);
  });

  test.skipIf(process.getuid?.() !== 0)(
    'a folder without permission is named, and the rest is judged',
    () => {
      const outer = join(folder, 'outer');
      mkdirSync(join(outer, 'secret'), { recursive: true, mode: 0o755 });
      writeFileSync(join(outer, 'pod.yaml'), 'kind: Pod\nmetadata: {name: a}\n');
      chmodSync(join(outer, 'secret'), 0);
      chmodSync(folder, 0o755);
      // As root everything can be read, and others may not be able to read the sources.
      const code = `
      import { filesOf } from ${JSON.stringify(join(ROOT, 'cli/resources.ts'))};
      process.seteuid(65534);
      const { files, errors } = filesOf(${JSON.stringify(outer)});
      console.log(JSON.stringify({ files, errors: errors.map(({ message }) => message) }));`;
      const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
        encoding: 'utf8',
      });
      expect(JSON.parse(stdout)).toEqual({
        files: [join(outer, 'pod.yaml')],
        errors: [expect.stringContaining('secret cannot be read: EACCES')],
      });
    },
  );

  test('a wrong option is said to be one', () => {
    expect(scan(['--nonsense'])).toMatchObject({ status: 1, stderr: expect.stringContaining('--help') });
    expect(scan(['-o', 'xml']).stderr).toContain('xml');
  });
});

test('JSON objects one behind the other, as lines or not, and UTF-16 are read as kubectl reads them', () => {
  const pod = (name: string) => JSON.stringify({ kind: 'Pod', metadata: { name, note: '} {"a' } });
  const names = (input: string | Buffer) => {
    const path = join(folder, 'stream.json');
    writeFileSync(path, input);
    const { stdout } = scan(['-f', path, '-o', 'json']);
    return JSON.parse(stdout).map(({ name, source }: { name: string; source: string }) => [
      name,
      Number(source.split(':').at(-1)),
    ]);
  };
  expect(names(`${pod('a')}\n${pod('b')}\n`)).toEqual([
    ['a', 1],
    ['b', 2],
  ]);
  expect(names(`${pod('a')}${pod('b')}`).map(([name]: [string]) => name)).toEqual(['a', 'b']);
  const text = '\ufeffkind: Pod\r\nmetadata: {name: c}\r\n';
  expect(names(Buffer.from(text, 'utf16le'))).toEqual([['c', 1]]);
  expect(names(Buffer.from(text, 'utf16le').swap16())).toEqual([['c', 1]]);
});

test('what stands in a typed list is of its kind, said or not', () => {
  const list = {
    apiVersion: 'v1',
    kind: 'ConfigMapList',
    items: [{ data: { 'run.sh': '#!/bin/sh\nxmrig' } }],
  };
  const { status, stdout } = scan(['-o', 'json'], JSON.stringify(list));
  expect(status).toBe(2);
  expect(JSON.parse(stdout)[0]).toMatchObject({ kind: 'ConfigMap', verdict: 'deny' });
});

test('a folder is read in order, manifests only', () => {
  const sub = join(folder, 'tree', 'deep');
  mkdirSync(sub, { recursive: true });
  writeFileSync(join(sub, 'b.yml'), 'kind: Pod\nmetadata: {name: b}\n');
  writeFileSync(join(folder, 'tree', 'a.json'), '{"kind":"Pod","metadata":{"name":"a"}}');
  writeFileSync(join(folder, 'tree', 'c.txt'), 'xmrig');
  const { stdout } = scan(['-f', join(folder, 'tree'), '-o', 'json']);
  expect(JSON.parse(stdout).map(({ name }: { name: string }) => name)).toEqual(['a', 'b']);
});

test('the table names verdict, place and remedy, and nothing in it steers a terminal', () => {
  const { stdout } = scan([
    '-f',
    MINER,
    '-f',
    file('evil.yaml', 'kind: "Pod\\e[31m"\nmetadata: {name: x}\n'),
  ]);
  expect(stdout).toMatch(/^VERDICT +SCORE +NAMESPACE +RESOURCE +SOURCE\nDENY/);
  expect(stdout).toContain('spec.template.spec.containers[0].args[1]');
  expect(stdout).toContain('2 resources: 1 denied, 0 warned, 1 allowed.');
  expect(stdout).not.toContain('\x1b');
});

test('SARIF points at the file and the line', () => {
  const { runs } = JSON.parse(scan(['-f', MINER, '-o', 'sarif']).stdout);
  expect(runs[0].results[0].locations[0].physicalLocation).toEqual({
    artifactLocation: { uri: MINER },
    region: { startLine: 22, startColumn: 28, endColumn: 41 },
  });
});

test('--help teaches', () => {
  const { status, stdout } = scan(['--help']);
  expect(status).toBe(0);
  expect(stdout).toContain('helm template');
});
