import { beforeEach, expect, it } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import { BACKGROUND_CONFIG_MAP, CA_CONFIG_MAP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import { issueServingPair, makeAuthority } from '../../certs/authority.ts';
import { status } from '../../cli/plugin/status.ts';
import { runWithoutTerminal } from '../../cli/plugin/without-terminal.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { quarantinePolicy } from '../../webhook/quarantine-policy.ts';
import { podOf } from '../webhook/harness.ts';

let cluster: MemoryCluster;
beforeEach(async () => {
  cluster = new MemoryCluster();
  for (const name of ['shop', SYSTEM_NAMESPACE]) {
    await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  for (const name of ['node-1', 'node-2']) {
    await cluster.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name } });
  }
});

/** What is said of one part. */
async function told(part: string): Promise<string> {
  const { text } = await runWithoutTerminal(status, cluster, []);
  const line = text.split('\n').find((each) => each.startsWith(`${part} `)) ?? '';
  return line.slice(part.length).replace(/\s+/g, ' ').trim();
}

const ours = (name: string) => ({ namespace: SYSTEM_NAMESPACE, name });

function secret(certificate: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: ours('kubesentry-webhook-tls'),
    data: { 'tls.crt': Buffer.from(certificate).toString('base64') },
  };
}

const dayAgo = (days: number) => Date.now() - days * 86_400_000;

it.each([
  ['fresh', 0, /^ok valid until \d/],
  ['near its end', 80, /^WRONG it ends on .* was not renewed: the log of the webhook says why/],
  ['over', 91, /^WRONG it ended on .*: delete the Secret/],
])('a certificate that is %s', async (_name, age, expected) => {
  const authority = await makeAuthority(dayAgo(age));
  const { certificate } = await issueServingPair(authority, ['localhost'], dayAgo(age));
  await cluster.create(KIND.Secret, secret(certificate));
  expect(await told('certificate')).toMatch(expected);
});

it('a Secret without a certificate', async () => {
  await cluster.create(KIND.Secret, secret('nothing'));
  expect(await told('certificate')).toMatch(/^WRONG .* holds no certificate: delete it/);
});

it.each([
  ['as the webhook publishes it', ['OURS', 'OURS'], 'OURS', /^ok 2 entries$/],
  ['absent', ['OURS', undefined], 'OURS', /^WRONG 1 of 2 entries have no CA/],
  ['of somebody else', ['OURS', 'FOREIGN'], 'OURS', /^WRONG 1 of 2 entries trust another CA/],
  ['published nowhere', ['OURS', 'OURS'], undefined, /^WRONG no CA is published, so no agent can report/],
] as const)('a CA in the webhook configuration that is %s', async (_name, bundles, published, expected) => {
  const base64 = (text: string | undefined) => text && Buffer.from(text).toString('base64');
  await cluster.create(KIND.ValidatingWebhookConfiguration, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'kubesentry' },
    webhooks: bundles.map((caBundle, at) => ({
      name: `${at}.kubesentry.io`,
      clientConfig: { caBundle: base64(caBundle), url: 'https://127.0.0.1:1/validate' },
      rules: [],
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Ignore',
    })),
  });
  if (published) {
    const data = { 'ca.crt': published };
    await cluster.create(KIND.ConfigMap, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: ours(CA_CONFIG_MAP),
      data,
    });
  }
  expect(await told('webhook configuration')).toMatch(expected);
});

it.each([
  ['that is rolled out', { replicas: 2, readyReplicas: 2, updatedReplicas: 2 }, /^ok 2 of 2 replicas ready$/],
  [
    'of which one is missing',
    { replicas: 2, readyReplicas: 1, updatedReplicas: 2 },
    /^WRONG 1 of 2 replicas ready: kubectl/,
  ],
  [
    'whose rollout is stuck',
    { replicas: 3, readyReplicas: 2, updatedReplicas: 1 },
    /^WRONG .* 1 of them new: a rollout is under way or stuck/,
  ],
  ['without any', {}, /^WRONG 0 of 2 replicas ready: new workloads are admitted unjudged/],
])('a webhook %s', async (_name, now, expected) => {
  const metadata = ours('kubesentry-webhook');
  await cluster.create(KIND.Deployment, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: { replicas: 2 },
  });
  await cluster.patch(KIND.Deployment, metadata, { status: now }, { subresource: 'status' });
  expect(await told('webhook')).toMatch(expected);
});

it('rights that somebody took away', async () => {
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'x' };
  for (const name of ['kubesentry-webhook', 'kubesentry-agent']) {
    await cluster.create(KIND.RoleBinding, {
      apiVersion,
      kind: 'RoleBinding',
      metadata: ours(name),
      roleRef,
    });
    await cluster.create(KIND.ClusterRoleBinding, {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef,
    });
  }
  expect(await told('rights')).toMatch(/^ok/);
  await cluster.delete(KIND.ClusterRoleBinding, { name: 'kubesentry-webhook' });
  expect(await told('rights')).toBe(
    'WRONG not there: ClusterRoleBinding kubesentry-webhook: kubectl apply -f install.yaml',
  );
});

it('nodes without an agent, by name', async () => {
  await cluster.create(KIND.DaemonSet, {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: ours('kubesentry-agent'),
    spec: {},
  });
  const status = { desiredNumberScheduled: 2, numberReady: 1 };
  await cluster.patch(KIND.DaemonSet, ours('kubesentry-agent'), { status }, { subresource: 'status' });
  const pod = podOf('kubesentry-agent-x', SYSTEM_NAMESPACE);
  pod.metadata.labels = { 'app.kubernetes.io/name': 'kubesentry-agent' };
  (pod.spec as Record<string, unknown>).nodeName = 'node-1';
  await cluster.create(KIND.Pod, pod);
  const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
  await cluster.patch(KIND.Pod, ours('kubesentry-agent-x'), { status: ready }, { subresource: 'status' });
  expect(await told('agents')).toMatch(/^WRONG 1 of 2 nodes watched; not node-2: kubectl .* logs/);
});

it('a policy that is not in force, with the reason', async () => {
  await cluster.create(KIND.SentryPolicy, {
    apiVersion: 'kubesentry.io/v1alpha1',
    kind: 'SentryPolicy',
    metadata: ours('settings'),
    spec: {},
  });
  const accepted = {
    type: 'Accepted',
    status: 'False',
    reason: 'Invalid',
    message: 'spec.exemptions[0]: It exempts everything.',
    lastTransitionTime: new Date().toISOString(),
  };
  await cluster.patch(
    KIND.SentryPolicy,
    ours('settings'),
    { status: { conditions: [accepted] } },
    { subresource: 'status' },
  );
  expect(await told('policies')).toBe(
    'WRONG not in force: settings: spec.exemptions[0]: It exempts everything.',
  );
});

it('what passed while the webhook did not answer', async () => {
  expect(await told('passed unjudged')).toMatch(/^ok/);
  await cluster.create(KIND.Event, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { namespace: 'shop', name: 'kubesentry.audit-1' },
    reason: 'FailedOpen',
    regarding: { kind: 'Pod', namespace: 'shop', name: 'web-1' },
  });
  expect(await told('passed unjudged')).toMatch(/^WRONG 1 requests .* judged afterwards: Pod shop\/web-1$/);
});

it('does not take what somebody may not read for a fault', async () => {
  const refuses = async () => {
    throw new KubesentryError('KUBE_REFUSED', 'forbidden');
  };
  const kinds = ['Secret', 'Event'];
  const limited = new Proxy(cluster, {
    get(target, name) {
      const method = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (kind: { kind?: string }, ...rest: unknown[]) =>
        kinds.includes(kind?.kind ?? '') ? refuses() : method.call(target, kind, ...rest);
    },
  });
  const { text } = await runWithoutTerminal(status, limited, []);
  expect(text).toMatch(/^certificate +not seen +you may not/m);
  expect(text).toMatch(/^passed unjudged +not seen +you may not/m);
});

it('does not say ok of what is not there and what nobody has judged yet', async () => {
  expect(await told('certificate')).toMatch(/^absent no Secret kubesentry-webhook-tls/);
  expect(await told('what exists')).toMatch(/^not yet the leader judges it/);
  const data = { found: '0', judged: '12', time: '2026-06-01T12:00:00Z' };
  const metadata = ours(BACKGROUND_CONFIG_MAP);
  await cluster.create(KIND.ConfigMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
  expect(await told('what exists')).toBe('ok 12 workloads judged at 2026-06-01T12:00:00Z');
});

it('does not take a policy whose binding only audits for one that holds', async () => {
  const [policy, binding] = quarantinePolicy();
  await cluster.create(KIND.ValidatingAdmissionPolicy, policy);
  expect(await told('quarantine policy')).toMatch(/^WRONG ValidatingAdmissionPolicyBinding .* is missing/);
  const spec = { ...(binding.spec as object), validationActions: ['Audit'] };
  await cluster.create(KIND.ValidatingAdmissionPolicyBinding, { ...binding, spec });
  expect(await told('quarantine policy')).toMatch(/^WRONG .* does not deny/);
  await cluster.patch(KIND.ValidatingAdmissionPolicyBinding, { name: 'kubesentry-quarantine' }, binding);
  expect(await told('quarantine policy')).toMatch(/^ok/);
});

it('goes on with --watch, and tells of what changes only', async () => {
  const stop = new AbortController();
  const texts: string[] = [];
  const { promise: changed, resolve } = Promise.withResolvers<void>();
  const watching = runWithoutTerminal(status, cluster, [], {
    flags: ['watch'],
    signal: stop.signal,
    onText: (text) => {
      texts.push(text);
      if (texts.length === 2) resolve();
    },
  });
  await expect.poll(() => texts.length).toBe(1);
  await cluster.create(KIND.Quarantine, {
    apiVersion: 'kubesentry.io/v1alpha1',
    kind: 'Quarantine',
    metadata: { name: 'drill' },
    spec: { namespace: 'shop', reason: 'A drill.', requestedBy: 'carol', bans: [] },
  });
  await changed;
  stop.abort();
  await watching;
  expect(texts[1]).toMatch(/^\d{4}-\d\d-\d\dT\S+Z {3}quarantines {3}WRONG {3}not in force: drill\n$/);
});
