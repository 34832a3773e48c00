import { describe, expect, it } from 'vitest';
import type { SentryPolicySpec } from '../../api/sentry-policy.ts';
import { Policy } from '../../webhook/admission/policy.ts';

const policy = (...specs: SentryPolicySpec[]) => new Policy(specs.map((spec) => ({ spec })));
const NOW = new Date('2026-06-01T00:00:00Z');

describe('the mode of a rule in a namespace', () => {
  it('is enforce unless a policy says otherwise', () => {
    expect(policy().modeOf('stratum-url', 'shop', {})).toBe('enforce');
    expect(policy({ admission: { mode: 'warn' } }).modeOf('stratum-url', 'shop', {})).toBe('warn');
  });

  it('is the strictest where policies differ', () => {
    const two = policy({ admission: { mode: 'off' } }, { admission: { mode: 'warn' } });
    expect(two.modeOf('stratum-url', 'shop', {})).toBe('warn');
  });

  it('goes by rule or namespace before the general one', () => {
    const mixed = policy({
      admission: {
        mode: 'enforce',
        rules: [{ rule: 'miner-name', mode: 'audit' }],
        namespaces: [
          { names: ['test-*'], mode: 'off' },
          { names: ['test-prod'], mode: 'warn' },
        ],
      },
    });
    expect(mixed.modeOf('miner-name', 'shop', {})).toBe('audit');
    expect(mixed.modeOf('stratum-url', 'test-1', {})).toBe('off');
    expect(mixed.modeOf('stratum-url', 'test-prod', {})).toBe('warn');
    expect(mixed.modeOf('miner-name', 'test-1', {})).toBe('audit');
    expect(mixed.modeOf('stratum-url', 'shop', {})).toBe('enforce');
  });

  it('is at most audit in the namespaces that the cluster lives on, unless one is named in full', () => {
    expect(policy().modeOf('stratum-url', 'kube-system', {})).toBe('audit');
    const star = policy({ admission: { namespaces: [{ names: ['*'], mode: 'enforce' }] } });
    expect(star.modeOf('stratum-url', 'kube-system', {})).toBe('audit');
    const named = policy({ admission: { namespaces: [{ names: ['kube-system'], mode: 'enforce' }] } });
    expect(named.modeOf('stratum-url', 'kube-system', {})).toBe('enforce');
  });
});

describe('the mode by the labels of a namespace', () => {
  const lab = policy({
    admission: {
      mode: 'warn',
      namespaces: [
        { selector: { matchLabels: { kind: 'lab' } }, mode: 'off' },
        {
          names: ['prod-*'],
          selector: { matchExpressions: [{ key: 'tier', operator: 'Exists' }] },
          mode: 'enforce',
        },
      ],
    },
  });

  it('is that of the selector that matches, with the names beside it', () => {
    expect(lab.modeOf('stratum-url', 'shop', { kind: 'lab' })).toBe('off');
    expect(lab.modeOf('stratum-url', 'shop', { kind: 'shop' })).toBe('warn');
    expect(lab.modeOf('stratum-url', 'prod-1', { tier: '1' })).toBe('enforce');
    expect(lab.modeOf('stratum-url', 'prod-1', {})).toBe('warn');
    expect(lab.modeOf('stratum-url', 'test', { tier: '1' })).toBe('warn');
  });

  it('is the stricter one while the labels are not known', () => {
    expect(lab.modeOf('stratum-url', 'shop', undefined)).toBe('warn');
    expect(lab.modeOf('stratum-url', 'prod-1', undefined)).toBe('enforce');
  });
});

describe('the thresholds', () => {
  it('are the lowest that a policy sets', () => {
    expect(policy().thresholds).toEqual({ deny: 80, warn: 30 });
    expect(policy({ admission: { thresholds: { deny: 95 } } }).thresholds).toEqual({ deny: 95, warn: 30 });
    const two = policy(
      { admission: { thresholds: { deny: 95, warn: 50 } } },
      { admission: { thresholds: { deny: 60 } } },
    );
    expect(two.thresholds).toEqual({ deny: 60, warn: 50 });
  });
});

describe('an exemption', () => {
  const subject = {
    rule: 'blockchain-node',
    namespace: 'crypto',
    user: 'alice',
    workloads: ['Deployment/monerod', 'ReplicaSet/monerod-1'],
    images: ['registry.io/monero/monerod:0.18'],
  };
  const exempts = (exemption: object, more = {}) =>
    policy({ exemptions: [{ reason: 'known', ...exemption }] }).exempts({ ...subject, ...more }, NOW);

  it('needs every given field to match', () => {
    expect(exempts({ namespaces: ['crypto'], rules: ['blockchain-node'] })).toBe(true);
    expect(exempts({ namespaces: ['crypto'], rules: ['stratum-url'] })).toBe(false);
    expect(exempts({ namespaces: ['other'] })).toBe(false);
    expect(exempts({ users: ['alice'] })).toBe(true);
    expect(exempts({ users: ['alice'] }, { user: undefined })).toBe(false);
    expect(exempts({ workloads: ['Deployment/monero*'] })).toBe(true);
  });

  it('exempts nothing when it names nothing', () => {
    expect(exempts({})).toBe(false);
  });

  it('ends when it expires', () => {
    expect(exempts({ namespaces: ['crypto'], expires: '2026-06-02T00:00:00Z' })).toBe(true);
    expect(exempts({ namespaces: ['crypto'], expires: '2026-05-31T00:00:00Z' })).toBe(false);
    expect(exempts({ namespaces: ['crypto'], expires: 'soon' })).toBe(false);
  });

  it('compares images by their parts, and every image must be exempt', () => {
    const images = ['registry.io/monero/monerod'];
    expect(exempts({ images })).toBe(true);
    expect(exempts({ images }, { images: ['registry.io.evil/monero/monerod'] })).toBe(false);
    expect(exempts({ images }, { images: ['registry.io/monero/monerod-evil'] })).toBe(false);
    expect(exempts({ images }, { images: [...subject.images, 'evil/x'] })).toBe(false);
    expect(exempts({ images }, { images: [] })).toBe(false);
  });
});

describe('the response', () => {
  it('contains by itself from 0.9 on, or as the strictest policy says', () => {
    expect(policy().containFrom).toBe(0.9);
    expect(policy({ response: { quarantine: 'off' } }).containFrom).toBeUndefined();
    expect(
      policy({ response: { quarantine: 'off' } }, { response: { quarantine: 'auto' } }).containFrom,
    ).toBe(0.9);
    expect(
      policy({ response: { minConfidence: 0.95 } }, { response: { minConfidence: 0.8 } }).containFrom,
    ).toBe(0.8);
  });
});
