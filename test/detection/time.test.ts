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

/** Of the shell's grammar alone, which has a limit of its own, and ten times what any of them takes. */
const LIMIT_MS = 5_000;

describe('time', () => {
  test.each(Object.entries(SLOW))('%s cost no more than in proportion', (_, [part, make]) => {
    const began = process.cpuUsage();
    judgeObject(make(part.repeat(40_000 / part.length)), { indicators });
    const { user, system } = process.cpuUsage(began);
    expect((user + system) / 1000).toBeLessThan(LIMIT_MS);
  });

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
