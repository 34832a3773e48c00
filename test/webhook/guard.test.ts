import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { Quarantine } from '../../api/quarantine.ts';
import { KIND } from '../../kube/kind.ts';
import { denialsIn, eventually, openScene, post, refusal, review, type Scene } from './harness.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const LABEL = 'kubesentry.io/quarantine';
const quarantine = (name: string, namespace: string): Quarantine => ({
  apiVersion: 'kubesentry.io/v1alpha1',
  kind: 'Quarantine',
  metadata: { name },
  spec: { namespace, reason: 'a drill', requestedBy: 'carol', bans: [] },
});

describe('the quarantine label', () => {
  it('is neither set, nor changed, nor removed by others', async () => {
    const alice = scene.as('alice');
    const set = (value: string | null) =>
      alice.patch(KIND.Namespace, { name: 'default' }, { metadata: { labels: { [LABEL]: value } } });
    const message = await refusal(set('x'));
    expect(message).toContain('sets the label by which Kubesentry contains the namespace');
    expect(message).toContain('--as-group=kubesentry:break-glass');
    await scene.as('breakGlass').create(KIND.Quarantine, quarantine('drill', 'default'));
    await eventually(async () => {
      const { metadata } = (await scene.cluster.get(KIND.Namespace, { name: 'default' })) ?? {};
      return metadata?.labels?.[LABEL];
    }, 'the label');
    expect(await refusal(set('other'))).toContain('changes the label');
    expect(await refusal(set(null))).toContain('removes the label');
    const { json } = await post(
      scene.webhook,
      '/validate',
      review(
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
        {
          operation: 'UPDATE',
          subResource: 'status',
          oldObject: { metadata: { name: 'default', labels: { [LABEL]: 'drill' } } },
        },
      ),
    );
    expect(json.response.allowed).toBe(false);
    // Anything else about the namespace may change.
    await alice.patch(KIND.Namespace, { name: 'default' }, { metadata: { labels: { team: 'a' } } });
    await scene.as('breakGlass').delete(KIND.Quarantine, { name: 'drill' });
  });

  it('that somebody tries to take away is told in the timeline of the incident', async () => {
    const name = 'default-web-000000';
    const metadata = { name };
    await scene.as('webhook').create(KIND.Incident, {
      apiVersion: 'kubesentry.io/v1alpha1',
      kind: 'Incident',
      metadata,
      spec: { namespace: 'billing', workload: { kind: 'Pod', name: 'web' } },
    });
    const time = new Date().toISOString();
    const status = {
      phase: 'Detected',
      confidence: 0.5,
      reasons: [],
      firstSeen: time,
      lastSeen: time,
      detections: [],
      pods: [],
      nodes: [],
      fingerprint: [],
      timeline: [],
      omitted: { detections: 0, pods: 0, timeline: 0 },
    };
    await scene.as('webhook').patch(KIND.Incident, { name }, { status }, { subresource: 'status' });
    await refusal(scene.as('alice').delete(KIND.Incident, { name }));
    await eventually(async () => {
      const { status: now } = (await scene.cluster.get(KIND.Incident, { name })) ?? {};
      return now?.timeline.find(({ message }) => message.includes('DELETE of Incident'));
    }, 'the attempt to be told');
  });

  it('does not come with a new namespace', async () => {
    const metadata = { name: 'trap', labels: { [LABEL]: 'x' } };
    await refusal(
      scene.as('alice').create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata }),
    );
  });
});

describe('our records', () => {
  it('are made, changed and deleted by the break-glass group and by us only', async () => {
    const message = await refusal(scene.as('alice').create(KIND.Quarantine, quarantine('mine', 'shop')));
    expect(message).toContain('it would weaken Kubesentry');
    await scene.as('breakGlass').create(KIND.Quarantine, quarantine('hers', 'billing'));
    await refusal(scene.as('alice').delete(KIND.Quarantine, { name: 'hers' }));
    await refusal(
      scene.as('alice').patch(KIND.Quarantine, { name: 'hers' }, { spec: { bans: [], reason: 'x' } }),
    );
    await scene.as('breakGlass').delete(KIND.Quarantine, { name: 'hers' });
  });

  it('go with their namespace', async () => {
    const oldObject = {
      apiVersion: 'kubesentry.io/v1alpha1',
      kind: 'Denial',
      metadata: { name: 'd-1', namespace: 'shop' },
    };
    const ask = async (username: string) =>
      (
        await post(
          scene.webhook,
          '/validate',
          review(undefined, {
            operation: 'DELETE',
            kind: { group: 'kubesentry.io', version: 'v1alpha1', kind: 'Denial' },
            oldObject,
            userInfo: { username, groups: [] },
          }),
        )
      ).json.response.allowed;
    expect(await ask('system:serviceaccount:kube-system:namespace-controller')).toBe(true);
    expect(await ask('alice')).toBe(false);
  });

  it('do not include settings: who may write in kubesentry-system may write a SentryPolicy', async () => {
    await scene.as('alice').create(KIND.SentryPolicy, {
      apiVersion: 'kubesentry.io/v1alpha1',
      kind: 'SentryPolicy',
      metadata: { name: 'settings', namespace: 'kubesentry-system' },
      spec: {},
    });
  });
});

test('refusing a Denial makes no other Denial, or one under a wrong account would call for the next without end', async () => {
  const denial = {
    apiVersion: 'kubesentry.io/v1alpha1',
    kind: 'Denial',
    metadata: { name: 'd-forged', namespace: 'shop' },
  };
  expect(await refusal(scene.as('alice').create(KIND.Denial, denial as never))).toContain(
    'kubesentry:break-glass',
  );
  await scene.webhook.denialsKept();
  const denials = await denialsIn(scene.cluster, 'shop');
  expect(denials.filter(({ spec }) => spec.operation === 'CREATE')).toEqual([]);
});
