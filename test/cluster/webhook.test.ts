import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { DetectionReportAnswer } from '../../api/detection.ts';
import { BREAK_GLASS_GROUP, SYSTEM_NAMESPACE, TOKEN_AUDIENCE } from '../../api/names.ts';
import { approve } from '../../cli/plugin/approve.ts';
import { runWithoutTerminal } from '../../cli/plugin/without-terminal.ts';
import type { HttpCluster } from '../../kube/http/cluster.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';
import type { RunningWebhook } from '../../webhook/start.ts';
import type { RunningCluster } from './cluster.ts';
import { clusterTests } from './requirement.ts';
import { openWebhookScene, type WebhookScene, XMRIG } from './webhook-scene.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NGINX = join(ROOT, 'test', 'fixtures', 'nginx-deployment.yaml');

/** An innocent DaemonSet; `name` and nothing else differs between copies. */
const daemonSet = (namespace: string, name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { namespace, name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'registry.example.com/metrics:1', command: ['collect'] }] },
    },
  },
});

describe.skipIf(clusterTests.skip)('the webhook on a real control plane', () => {
  let scene: WebhookScene;
  let server: RunningCluster;
  let admin: HttpCluster;
  let webhook: RunningWebhook;
  let apply: WebhookScene['apply'];
  let read: WebhookScene['read'];

  beforeAll(async () => {
    scene = await openWebhookScene({ name: 'webhook-test' });
    ({ server, admin, webhook, apply, read } = scene);
  });
  afterAll(() => scene?.close());

  test('kubectl apply of an xmrig DaemonSet is refused with reasons and the id of a record', async () => {
    const { status, stderr } = await server.kubectl(['apply', '-f', XMRIG]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/it looks like a cryptominer/);
    const id = /Record (d-[0-9a-f]+)/.exec(stderr)?.[1] as string;
    await webhook.denialsKept();
    expect(await read('denials', '-A', '--no-headers')).toContain(id);
    expect((await server.kubectl(['describe', 'denial', id, '-n', 'default'])).stdout).toContain(
      'stratum-url',
    );
  });

  test('nginx goes through', async () => {
    expect(await server.kubectl(['apply', '-f', NGINX])).toMatchObject({ status: 0 });
  });

  test('what exists is judged in the background, with the rights of the manifest', async () => {
    const judged = () =>
      read('configmap', '-n', SYSTEM_NAMESPACE, 'kubesentry-background', '-o', 'jsonpath={.data.judged}');
    await expect.poll(judged, { timeout: 15_000, interval: 200 }).toMatch(/^[0-9]+$/);
  });

  test('a detection of sufficient confidence contains the namespace, and the real controller cannot respawn', async () => {
    expect(await apply(daemonSet('shop', 'metrics'))).toMatchObject({ status: 0 });
    const bound = async () =>
      (
        await admin.list(KIND.Pod, {
          namespace: 'shop',
          labelSelector: 'app=metrics',
          fieldSelector: 'spec.nodeName=n1',
        })
      ).items[0];
    await expect.poll(bound, { timeout: 15_000 }).toBeDefined();
    const { name = '', uid = '' } = (await bound())?.metadata ?? {};

    const reported = performance.now();
    const answer = await report(uid, name);
    expect(answer.rejected).toEqual([]);
    expect(answer.acknowledged).toHaveLength(1);
    await expect
      .poll(async () => (await apply(daemonSet('shop', 'another'))).stderr, { timeout: 5_000, interval: 20 })
      .toContain('quarantine');
    console.log(`report to refusal through kubectl: ${Math.round(performance.now() - reported)} ms`);

    await expect
      .poll(() => read('quarantine', '-o', 'jsonpath={.items[*].status.phase}'), { timeout: 5_000 })
      .toBe('Active');
    expect(await read('incidents', '--no-headers')).toMatch(/Contained.*shop.*DaemonSet.*metrics/);
    expect(await read('namespace', 'shop', '-o', 'jsonpath={.metadata.labels}')).toContain(
      'kubesentry.io/quarantine',
    );

    expect(
      (await server.kubectl(['delete', 'pod', '-n', 'shop', name, '--grace-period=0', '--force'])).status,
    ).toBe(0);
    await expect
      .poll(async () => (await server.kubectl(['describe', 'ds', 'metrics', '-n', 'shop'])).stdout, {
        timeout: 20_000,
        interval: 200,
      })
      .toMatch(/FailedCreate.*is in quarantine/s);
    expect(await bound()).toBeUndefined();

    const copy = await apply(daemonSet('billing', 'other-name'));
    expect(copy.stderr).toContain('those of a running incident');
  });

  test('the contained network stays closed: by the policy in the API server too', async () => {
    await expect
      .poll(() => read('networkpolicy', '-n', 'shop', '-o', 'name'), { timeout: 5_000 })
      .toContain('kubesentry-quarantine');
    const open = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: 'shop', name: 'allow-all' },
      spec: { podSelector: {}, egress: [{}], policyTypes: ['Egress'] },
    };
    expect((await apply(open)).stderr).toContain('is in quarantine');
    const gone = await server.kubectl(['delete', 'networkpolicy', '--all', '-n', 'shop']);
    expect(gone.stderr).toContain('is in quarantine');
  });

  test('what the response wrote is owned by the field manager kubesentry', async () => {
    const ownersOf = async (...object: string[]) => {
      const { metadata } = JSON.parse(await read(...object, '--show-managed-fields', '-o', 'json'));
      const entries = metadata.managedFields as { manager: string; fieldsV1: object }[];
      return entries.map(({ manager, fieldsV1 }) => ({ manager, fields: JSON.stringify(fieldsV1) }));
    };
    const incident = (await read('incidents', '-o', 'name')).trim();
    const quarantine = (await read('quarantines', '-o', 'name')).trim();
    const policy = ['networkpolicy', 'kubesentry-quarantine', '-n', 'shop'];
    for (const object of [[incident], [quarantine], policy]) {
      expect(new Set((await ownersOf(...object)).map(({ manager }) => manager))).toEqual(
        new Set(['kubesentry']),
      );
    }
    const label = (await ownersOf('namespace', 'shop')).filter(({ fields }) =>
      fields.includes('f:kubesentry.io/quarantine'),
    );
    expect(label.map(({ manager }) => manager)).toEqual(['kubesentry']);
  });

  test('what people approve is done: the owner and its pods go, and every token of the account dies', async () => {
    const account = { namespace: 'shop', name: 'default' };
    const whoami = (token: string) => server.kubectl(['auth', 'whoami', '--token', token, '-o', 'name']);
    const carol = await connectCluster({
      kubeconfig: server.kubeconfig,
      as: 'carol',
      asGroups: [BREAK_GLASS_GROUP, 'system:masters'],
    });
    // Token requests are refused in a contained namespace, except to her.
    const token = await carol.createToken(account, {
      audience: 'https://kubernetes.default.svc',
      expirationSeconds: 3600,
    });
    expect(await whoami(token)).toMatchObject({ status: 0 });
    const legacy = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        ...account,
        name: 'legacy',
        annotations: { 'kubernetes.io/service-account.name': 'default' },
      },
      type: 'kubernetes.io/service-account-token',
    };
    // So is a Secret that asks for a token.
    const refused = await apply(legacy);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('quarantine')]);
    await carol.create(KIND.Secret, legacy);
    const uid = (await admin.get(KIND.ServiceAccount, account))?.metadata.uid;
    const [incident] = (await admin.list(KIND.Incident)).items;
    const name = incident?.metadata.name as string;
    await carol.close();
    // With the rights that the manifest gives to the group, and no others.
    const dana = await connectCluster({
      kubeconfig: server.kubeconfig,
      as: 'dana',
      asGroups: [BREAK_GLASS_GROUP],
    });
    await runWithoutTerminal(approve, dana, [name, 'terminate', 'revoke']);
    await dana.close();
    const steps = async () => (await admin.get(KIND.Incident, { name }))?.status?.steps ?? [];
    const began = performance.now();
    await vi.waitFor(
      async () => {
        const found = await steps();
        expect(found.map(({ step, state }) => `${step} ${state}`)).toEqual(
          ['confirm', 'blastRadius', 'terminate', 'revoke', 'wayIn', 'report'].map((step) => `${step} Done`),
        );
      },
      { timeout: 20_000, interval: 100 },
    );
    console.log(`approved to terminated and revoked: ${Math.round(performance.now() - began)} ms`);
    expect(await admin.get(KIND.DaemonSet, { namespace: 'shop', name: 'metrics' })).toBeUndefined();
    expect(await read('pods', '-n', 'shop', '-l', 'app=metrics', '-o', 'name')).toBe('');
    expect((await admin.get(KIND.ServiceAccount, account))?.metadata.uid).not.toBe(uid);
    await vi.waitFor(async () => expect((await whoami(token)).stderr).toContain('Unauthorized'), {
      timeout: 15_000,
      interval: 200,
    });
    await vi.waitFor(async () => expect(await read('secrets', '-n', 'shop', '-o', 'name')).toBe(''), {
      timeout: 15_000,
      interval: 200,
    });
    const timeline = (await admin.get(KIND.Incident, { name }))?.status?.timeline ?? [];
    expect(timeline.map(({ message }) => message)).toContain('dana approved the step terminate.');
  });

  test('with the webhook dead the API server itself still refuses, and other namespaces still deploy', async () => {
    await webhook.close();
    const inside = await apply(daemonSet('shop', 'third'));
    expect(inside.status).not.toBe(0);
    expect(inside.stderr).toMatch(/is in quarantine/);
    const outside = { ...daemonSet('billing', 'innocent') };
    outside.spec.template.spec.containers = [
      { name: 'x', image: 'registry.example.com/other:2', command: ['serve'] },
    ];
    expect(await apply(outside)).toMatchObject({ status: 0 });
  });

  /** As the agent on node n1, with a token that the real API server made for its pod. */
  async function report(podUid: string, podName: string): Promise<DetectionReportAnswer> {
    const agentPod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-agent-n1' },
      spec: {
        nodeName: 'n1',
        serviceAccountName: 'kubesentry-agent',
        containers: [{ name: 'agent', image: 'kubesentry-agent' }],
      },
    };
    const { metadata } = await admin.create(KIND.Pod, agentPod);
    const token = await admin.createToken(
      { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-agent' },
      {
        audience: TOKEN_AUDIENCE,
        expirationSeconds: 600,
        pod: { name: metadata.name as string, uid: metadata.uid as string },
      },
    );
    const agent = new Agent({ connect: { ca: webhook.caBundle } });
    const { body } = await request(`${webhook.url}/v1/detections`, {
      method: 'POST',
      dispatcher: agent,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        apiVersion: 'kubesentry.io/v1alpha1',
        kind: 'DetectionReport',
        node: 'n1',
        detections: [
          {
            id: '0123456789abcdef0123456789abcdef',
            time: new Date().toISOString(),
            rule: 'pool-protocol',
            severity: 'critical',
            confidence: 1,
            action: 'none',
            process: {
              pid: 4242,
              exe: '/tmp/kworker',
              argv: ['./kworker'],
              uid: 0,
              sha256: null,
              ancestors: [],
            },
            container: {
              id: null,
              cgroup: `/kubepods/besteffort/pod${podUid}/x`,
              podUid,
              name: null,
              namespace: 'shop',
              pod: podName,
              workload: null,
              image: null,
            },
            evidence: {},
            repeats: 0,
          },
        ],
      }),
    });
    const answer = (await body.json()) as DetectionReportAnswer;
    await agent.close();
    return answer;
  }
});
