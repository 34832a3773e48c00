import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { API_VERSION } from '../../api/names.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { KIND } from '../../kube/kind.ts';
import { quarantinePolicy } from '../../webhook/quarantine-policy.ts';
import { eventually, openScene, type Scene } from './harness.ts';

const [policy, binding] = quarantinePolicy();
const NAME = { name: 'kubesentry-quarantine' };

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(() => scene[Symbol.asyncDispose]());

const contain = (spec: Partial<Quarantine['spec']> = {}) =>
  scene.as('breakGlass').create(KIND.Quarantine, {
    apiVersion: API_VERSION,
    kind: 'Quarantine',
    metadata: { name: 'drill' },
    spec: { namespace: 'shop', reason: 'A drill.', requestedBy: 'carol', bans: [], ...spec },
  });

/** Until the condition has that reason. */
const condition = (reason: string) =>
  eventually(async () => {
    const found = await scene.cluster.get(KIND.Quarantine, { name: 'drill' });
    const hold = found?.status?.conditions?.find(({ type }) => type === 'HeldByApiServer');
    return hold?.reason === reason ? hold : undefined;
  }, reason);

describe('the condition HeldByApiServer', () => {
  it('follows the policy in the API server and its binding, and says what is missing and what to do', async () => {
    await contain();
    const missing = await condition('PolicyMissing');
    expect(missing.status).toBe('False');
    expect(missing.message).toBe(
      'ValidatingAdmissionPolicy kubesentry-quarantine is missing. ' +
        'ValidatingAdmissionPolicyBinding kubesentry-quarantine is missing. ' +
        'Only the webhook refuses, and no Secret that gets a token. To do: kubectl apply -f install.yaml',
    );
    await scene.cluster.create(KIND.ValidatingAdmissionPolicy, policy);
    await scene.cluster.create(KIND.ValidatingAdmissionPolicyBinding, binding);
    expect((await condition('PolicyInForce')).status).toBe('True');
    await scene.cluster.delete(KIND.ValidatingAdmissionPolicyBinding, NAME);
    expect((await condition('PolicyMissing')).message).toMatch(
      /^ValidatingAdmissionPolicyBinding kubesentry-quarantine is missing\. Only/,
    );
  });

  it('does not take a binding that only audits for one that holds', async () => {
    await scene.cluster.create(KIND.ValidatingAdmissionPolicy, policy);
    await scene.cluster.create(KIND.ValidatingAdmissionPolicyBinding, {
      ...binding,
      spec: { ...(binding.spec as object), validationActions: ['Warn', 'Audit'] },
    });
    await contain();
    expect((await condition('PolicyMissing')).message).toMatch(/^\S+ kubesentry-quarantine does not deny\./);
  });

  it('says of a namespace that the cluster lives on that nothing is refused without the policy', async () => {
    await contain({ namespace: 'kube-system', evenIfProtected: true });
    expect((await condition('PolicyMissing')).message).toContain('Nothing is refused in kube-system.');
  });

  it('is false for a single workload: that policy goes by namespaces', async () => {
    await contain({ workload: { kind: 'Deployment', name: 'web' } });
    expect((await condition('NotLabeled')).status).toBe('False');
  });
});
