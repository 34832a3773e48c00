import { describe, expect, it } from 'vitest';
import { webhookConfiguration } from '../../webhook/configuration.ts';
import { quarantinePolicy } from '../../webhook/quarantine-policy.ts';

interface Entry {
  name: string;
  failurePolicy: string;
  timeoutSeconds: number;
  sideEffects: string;
  matchPolicy: string;
  namespaceSelector?: { matchExpressions: { key: string; operator: string; values?: string[] }[] };
  rules: { operations: string[]; resources: string[] }[];
  clientConfig: Record<string, unknown>;
}

const { webhooks } = webhookConfiguration({ service: { name: 'w', namespace: 'n' } }, 'PEM') as unknown as {
  webhooks: Entry[];
};
const entry = (name: string) => webhooks.find((each) => each.name === `${name}.kubesentry.io`) as Entry;

describe('the webhook configuration', () => {
  it('fails closed only where something is contained or guarded', () => {
    expect(webhooks.map(({ name, failurePolicy }) => `${name.split('.')[0]} ${failurePolicy}`)).toEqual([
      'deploy Ignore',
      'interactive Ignore',
      'bindings Ignore',
      'quarantine Fail',
      'guard-namespaces Fail',
      'guard-records Fail',
      'policies Ignore',
      'overrules Ignore',
    ]);
    expect(entry('quarantine').namespaceSelector?.matchExpressions).toContainEqual({
      key: 'kubesentry.io/quarantine',
      operator: 'Exists',
    });
  });

  it('fails closed in no namespace that a cluster cannot live without, by a label that nobody can change', () => {
    const { namespaceSelector } = webhooks.find(({ name }) => name.startsWith('quarantine.')) as unknown as {
      namespaceSelector: { matchExpressions: { key: string; operator: string; values?: string[] }[] };
    };
    expect(namespaceSelector.matchExpressions).toContainEqual({
      key: 'kubernetes.io/metadata.name',
      operator: 'NotIn',
      values: ['kube-system', 'kube-public', 'kube-node-lease', 'kubesentry-system'],
    });
  });

  it('never asks about nodes, leases, events or status, so that no outage stops a cluster', () => {
    const resources = webhooks.flatMap(({ rules }) => rules.flatMap((rule) => rule.resources));
    for (const each of ['nodes', 'leases', 'events', '*/*', 'pods/status', 'pods/eviction']) {
      expect(resources).not.toContain(each);
    }
  });

  it('asks once about each request: by the quarantine label either one entry or the other', () => {
    for (const name of ['deploy', 'interactive']) {
      expect(entry(name).namespaceSelector?.matchExpressions).toContainEqual({
        key: 'kubesentry.io/quarantine',
        operator: 'DoesNotExist',
      });
    }
  });

  it('gives up soon, has no side effects on a dry run, and matches every version', () => {
    for (const each of webhooks) {
      expect(each).toMatchObject({
        timeoutSeconds: 3,
        sideEffects: 'NoneOnDryRun',
        matchPolicy: 'Equivalent',
      });
    }
  });

  it('names a Service or an address, and the CA in base64', () => {
    const caBundle = Buffer.from('PEM').toString('base64');
    const service = { name: 'w', namespace: 'n', port: 443, path: '/validate' };
    expect(entry('deploy').clientConfig).toEqual({ service, caBundle });
    const byUrl = webhookConfiguration({ url: 'https://127.0.0.1:8443' }, 'PEM') as unknown as {
      webhooks: Entry[];
    };
    expect(byUrl.webhooks[0]?.clientConfig).toEqual({ url: 'https://127.0.0.1:8443/validate', caBundle });
  });
});

describe('the quarantine policy', () => {
  it('covers inside the API server what the quarantine entry covers', () => {
    const [policy, binding] = quarantinePolicy() as unknown as [
      {
        metadata: { name: string };
        spec: { matchConstraints: { resourceRules: unknown[] }; failurePolicy: string };
      },
      { spec: { policyName: string; validationActions: string[] } },
    ];
    const [tokens, ...others] = policy.spec.matchConstraints.resourceRules.toReversed();
    expect(others.reverse()).toEqual(entry('quarantine').rules);
    // What the webhook must not be shown.
    expect(tokens).toMatchObject({ operations: ['CREATE'], apiGroups: [''], resources: ['secrets'] });
    expect(policy.spec.failurePolicy).toBe('Fail');
    expect(binding.spec).toEqual({ policyName: policy.metadata.name, validationActions: ['Deny', 'Audit'] });
  });
});
