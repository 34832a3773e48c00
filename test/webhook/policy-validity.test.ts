import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { SentryPolicy, SentryPolicySpec } from '../../api/sentry-policy.ts';
import { KIND } from '../../kube/kind.ts';
import { policyProblems } from '../../webhook/policy-problems.ts';
import { eventually, MINER, openScene, podOf, refusal, type Scene } from './harness.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const key = { name: 'mine', namespace: SYSTEM_NAMESPACE };
const policyOf = (spec: SentryPolicySpec): SentryPolicy => ({
  apiVersion: 'kubesentry.io/v1alpha1',
  kind: 'SentryPolicy',
  metadata: { ...key },
  spec,
});
const paths = (spec: unknown) => policyProblems(spec).map(({ path }) => path);

describe('a policy', () => {
  it('is refused with the reason when it would not do what its author means', async () => {
    const spec: SentryPolicySpec = { exemptions: [{ rules: ['stratum-ulr'], reason: 'typo' }] };
    const message = await refusal(scene.as('alice').create(KIND.SentryPolicy, policyOf(spec)));
    expect(message).toContain('There is no rule "stratum-ulr"');
    expect(message).toContain('spec.exemptions[0].rules[0]');
  });

  it('has namespaces to speak of, and warns before it refuses', () => {
    expect(paths({ admission: { namespaces: [{ mode: 'off' }] } })).toEqual(['spec.admission.namespaces[0]']);
    expect(paths({ admission: { thresholds: { deny: 60, warn: 70 } } })).toEqual([
      'spec.admission.thresholds.warn',
    ]);
    expect(paths({ admission: { thresholds: { deny: 10 } } })).toEqual(['spec.admission.thresholds.deny']);
    const selector = { matchLabels: { kind: 'lab' } };
    expect(paths({ admission: { namespaces: [{ selector, mode: 'off' }] } })).toEqual([]);
  });

  it('that is good says so in its status', async () => {
    await scene.as('alice').create(KIND.SentryPolicy, policyOf({ admission: { mode: 'enforce' } }));
    await eventually(async () => {
      const { status } = (await scene.cluster.get(KIND.SentryPolicy, key)) ?? {};
      return status?.conditions?.find(({ type, status: now }) => type === 'Accepted' && now === 'True');
    }, 'accepted');
  });

  it('that got invalid while nobody was asked stays in force as it was, and says so', async () => {
    const miner = () => scene.as('alice').create(KIND.Pod, podOf('x', 'shop', MINER), { dryRun: true });
    await scene.cluster.patch(KIND.SentryPolicy, key, { spec: { admission: { mode: 'warn' } } });
    await eventually(
      () =>
        miner()
          .then(() => true)
          .catch(() => undefined),
      'the mode warn',
    );
    const configuration = { name: 'kubesentry' };
    const before = await scene.cluster.get(KIND.ValidatingWebhookConfiguration, configuration);
    await scene.cluster.delete(KIND.ValidatingWebhookConfiguration, configuration);
    const spec = { admission: { mode: 'enforce', rules: [{ rule: 'no-such-rule', mode: 'off' }] } };
    await scene.cluster.patch(KIND.SentryPolicy, key, { spec });
    const { resourceVersion: _, uid: __, ...metadata } = before?.metadata ?? {};
    if (before) await scene.cluster.create(KIND.ValidatingWebhookConfiguration, { ...before, metadata });
    const condition = await eventually(async () => {
      const { status } = (await scene.cluster.get(KIND.SentryPolicy, key)) ?? {};
      return status?.conditions?.find(({ type, status: now }) => type === 'Accepted' && now === 'False');
    }, 'not accepted');
    expect(condition.message).toContain('no-such-rule');
    await miner();
  });
});

describe('policyProblems', () => {
  it('names each thing by its path', () => {
    expect(paths({})).toEqual([]);
    expect(paths({ exemptions: [{ reason: 'all' }] })).toEqual(['spec.exemptions[0]']);
    expect(paths({ exemptions: [{ namespaces: ['*'], reason: 'all' }] })).toEqual(['spec.exemptions[0]']);
    expect(paths({ exemptions: [{ namespaces: ['ci-*'], reason: 'builds' }] })).toEqual([]);
    const indicators = {
      names: ['bash', 'mymine'],
      pools: ['com', 'pool.example.com'],
      addresses: ['300.1.1.1'],
      hashes: ['ab'],
    };
    expect(paths({ indicators })).toEqual([
      'spec.indicators.names[0]',
      'spec.indicators.pools[0]',
      'spec.indicators.addresses[0]',
      'spec.indicators.hashes[0]',
    ]);
    expect(paths({ admission: { mode: false } })[0]).toMatch(/^spec\.admission/);
  });

  it('never throws, whatever the spec is', () => {
    fc.assert(fc.property(fc.jsonValue(), (spec) => Array.isArray(policyProblems(spec))));
  });
});
