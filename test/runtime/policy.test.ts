import { describe, expect, it } from 'vitest';
import type { Quarantine } from '../../api/quarantine.ts';
import { loadIndicators } from '../../detection/load.ts';
import type { PodInfo } from '../../runtime/pods.ts';
import { runtimePolicy, standalonePolicy } from '../../runtime/policy.ts';

const indicators = await loadIndicators();
const base = standalonePolicy('detect', indicators);
const now = () => new Date('2026-01-01T00:00:00Z');
const pod: PodInfo = {
  uid: 'u',
  namespace: 'lab',
  name: 'miner-1',
  workload: { kind: 'Deployment', name: 'miner' },
  containers: new Map([['c', { name: 'main', image: 'registry.example/team/miner:2' }]]),
  only: undefined,
};

describe('runtimePolicy', () => {
  it('is that of the command line without policies', () => {
    expect(runtimePolicy(base, [], [], now)).toMatchObject({ mode: 'detect', indicators });
    expect(runtimePolicy(standalonePolicy('enforce', indicators), [], [], now).mode).toBe('enforce');
  });

  it('takes the strictest mode and adds indicators up', () => {
    const policy = runtimePolicy(
      base,
      [
        { runtime: { mode: 'enforce' }, indicators: { names: ['Alpha'] } },
        { runtime: { mode: 'detect' }, indicators: { addresses: ['192.0.2.7:3333'] } },
      ],
      [],
      now,
    );
    expect(policy.mode).toBe('enforce');
    expect(policy.indicators.names).toContain('alpha');
    expect(policy.indicators.addresses).toContainEqual({ cidr: '192.0.2.7/32', port: 3333 });
  });

  it('has a mode for the pods of a namespace, and freezes when one policy says so', () => {
    const modes = (...namespaces: { names: string[]; mode: 'detect' | 'enforce' }[]) =>
      runtimePolicy(base, [{ runtime: { namespaces } }, { runtime: { stop: 'freeze' } }], [], now);
    expect(modes({ names: ['la*'], mode: 'enforce' }).modeOf(pod)).toBe('enforce');
    expect(modes({ names: ['lab'], mode: 'detect' }, { names: ['*'], mode: 'enforce' }).modeOf(pod)).toBe(
      'enforce',
    );
    expect(modes({ names: ['lab'], mode: 'detect' }).modeOf(pod)).toBe('detect');
    expect(modes({ names: ['shop'], mode: 'enforce' }).modeOf(pod)).toBeUndefined();
    expect(modes().stop).toBe('freeze');
    expect(runtimePolicy(base, [], [], now).stop).toBe('kill');
  });

  it('looks for banned binaries while their quarantine is there', () => {
    const sha256 = 'ab'.repeat(32);
    const quarantine = {
      spec: { namespace: 'x', bans: [{ facet: 'binary', value: sha256, reason: 'r' }] },
    } as unknown as Quarantine;
    expect(runtimePolicy(base, [], [quarantine], now).indicators.hashes.has(sha256)).toBe(true);
    expect(runtimePolicy(base, [], [], now).indicators.hashes.has(sha256)).toBe(false);
  });

  it.each([
    ['by namespace', { namespaces: ['lab'] }, true],
    ['by workload', { workloads: ['Deployment/min*'] }, true],
    ['by image', { images: ['registry.example/team/miner'] }, true],
    ['by another image', { images: ['registry.example/team/other'] }, false],
    ['by a rule', { namespaces: ['lab'], rules: ['miner-name'] }, true],
    ['by another rule', { namespaces: ['lab'], rules: ['stratum-url'] }, false],
    ['by a user, whom nobody knows here', { users: ['ann'] }, false],
    ['that expired', { namespaces: ['lab'], expires: '2025-12-31T00:00:00Z' }, false],
  ])('exempts %s', (_, exemption, isExempt) => {
    const policy = runtimePolicy(base, [{ exemptions: [{ reason: 'r', ...exemption }] }], [], now);
    expect(policy.exempts('miner-name', pod)).toBe(isExempt);
  });
});
