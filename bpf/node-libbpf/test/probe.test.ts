import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { probe } from '../index.ts';

test('what the probe says of the hooks that exist everywhere', () => {
  for (const kind of [
    'tp_btf',
    'raw_tp',
    'tracepoint',
    'iter',
    'cgroup/connect4',
    'cgroup_skb/egress',
  ] as const) {
    expect([kind, probe.programType(kind)]).toEqual([kind, { supported: true }]);
  }
});

test('a hook that is not there is told with its errno', () => {
  const answer = probe.programType('tp_btf', 'no_such_tracepoint');
  expect(answer).toMatchObject({ supported: false, code: 'ENOENT' });
});

test('BTF is there exactly if the kernel shows it', () => {
  expect(probe.btf().supported).toBe(existsSync('/sys/kernel/btf/vmlinux'));
});

test('the version of libbpf is told', () => {
  expect(probe.libbpfVersion()).toMatch(/^1\.\d+$/);
});
