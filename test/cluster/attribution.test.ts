import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { Agent, request, upgrade } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Incident } from '../../api/incident.ts';
import { AGENT_USER, SYSTEM_NAMESPACE, TOKEN_AUDIENCE } from '../../api/names.ts';
import { loadIndicators } from '../../detection/load.ts';
import type { HttpCluster } from '../../kube/http/cluster.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';
import { RETENTION } from '../../webhook/audit/columns.ts';
import { SqliteFacts } from '../../webhook/audit/sqlite.ts';
import { ephemeralCertificate } from '../../webhook/certificate-sources.ts';
import { CONFIGURATION_NAME } from '../../webhook/configuration.ts';
import { type RunningWebhook, startWebhook } from '../../webhook/start.ts';
import { detectionIn } from '../webhook/detections.ts';
import { type RunningCluster, startCluster } from './cluster.ts';
import { writeKubeconfig } from './credentials.ts';
import { freePort } from './free-port.ts';
import { must } from './install.ts';
import { type KubeletDoor, openKubeletDoor } from './kubelet-door.ts';
import { clusterTests } from './requirement.ts';

const TOKEN = 'the-token-of-the-audit-webhook';
const POLICY = 'manifests/audit/policy.yaml';
const CURL = 'curl/8.5.0';

/** Nothing that admission would refuse: what it does shows on the node only. */
const daemonSet = (namespace: string, name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { namespace, name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        containers: [{ name: 'main', image: 'registry.example.com/agent:1', command: ['/agent', '--quiet'] }],
      },
    },
  },
});

describe.skipIf(clusterTests.skip)('an attack that the real API server tells about', () => {
  let server: RunningCluster;
  let admin: HttpCluster;
  let ours: HttpCluster;
  let webhook: RunningWebhook;
  let kubelet: KubeletDoor;
  let facts: SqliteFacts;
  let attacker: Agent;

  beforeAll(async () => {
    const port = await freePort();
    kubelet = await openKubeletDoor();
    facts = new SqliteFacts(':memory:', RETENTION);
    server = await startCluster({
      name: 'attribution-test',
      audit: { url: `https://127.0.0.1:${port}/audit`, token: TOKEN, policy: readFileSync(POLICY, 'utf8') },
    });
    admin = await connectCluster({ kubeconfig: server.kubeconfig });
    attacker = new Agent({ allowH2: false, connect: { ca: server.ca } });
    await must(server, [
      'apply',
      '--server-side',
      '-f',
      'manifests/base/namespace.yaml',
      '-f',
      'manifests/base/crds.yaml',
      '-f',
      'manifests/base/agent-rbac.yaml',
      '-f',
      'manifests/base/webhook-rbac.yaml',
    ]);
    await must(server, ['wait', '--for=condition=Established', '--timeout=15s', 'crd', '--all']);
    await admin.create(KIND.ValidatingWebhookConfiguration, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: CONFIGURATION_NAME },
    });
    await admin.create(KIND.Node, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
    const status = {
      ...kubelet.status,
      allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
      capacity: { cpu: '4', memory: '8Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True' }],
    };
    await admin.patch(KIND.Node, { name: 'n1' }, { status }, { subresource: 'status' });
    for (const name of ['shop', 'media']) await must(server, ['create', 'namespace', name]);
    await must(server, ['wait', '--for=create', '-n', 'shop', 'serviceaccount/default', '--timeout=15s']);
    const token = await admin.createToken(
      { namespace: SYSTEM_NAMESPACE, name: 'kubesentry-webhook' },
      { audience: 'https://kubernetes.default.svc', expirationSeconds: 3600 },
    );
    const kubeconfig = join(server.folder, 'webhook.kubeconfig');
    const caFile = join(server.folder, 'apiserver', 'apiserver.crt');
    writeKubeconfig({ file: kubeconfig, server: server.url, caFile, token });
    ours = await connectCluster({ kubeconfig });
    webhook = await startWebhook({
      cluster: ours,
      indicators: await loadIndicators(),
      certificates: await ephemeralCertificate(['127.0.0.1']),
      register: 'here',
      port,
      log: pino({ level: 'warn' }),
      timeouts: { drain: 0 },
      facts,
      auditToken: async () => TOKEN,
    });
    await webhook.ready;
  }, 120_000);
  afterAll(async () => {
    await webhook?.close();
    await ours?.close();
    await admin?.close();
    await attacker?.destroy();
    kubelet?.close();
    await server?.stop();
    await facts?.close();
  });

  /** As somebody who has nothing but the address of the API server, and perhaps a token. */
  async function send(
    method: 'GET' | 'POST',
    path: string,
    body?: object,
    token?: string,
  ): Promise<{ status?: unknown }> {
    const answer = await request(`${server.url}${path}`, {
      method,
      dispatcher: attacker,
      headers: {
        'user-agent': CURL,
        ...(body && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(answer.statusCode).toBeLessThan(300);
    return (await answer.body.json()) as { status?: unknown };
  }

  async function attack(): Promise<void> {
    await send('GET', '/api/v1/secrets');
    await send('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'sys-backup' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', namespace: 'shop', name: 'default' }],
    });
    const { status } = await send('POST', '/api/v1/namespaces/shop/serviceaccounts/default/token', {
      spec: {},
    });
    const { token } = status as { token: string };
    const exec =
      '/api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c&command=id&stdout=true&container=main';
    const { socket } = await upgrade(`${server.url}${exec}`, {
      dispatcher: attacker,
      method: 'POST',
      protocol: 'SPDY/3.1',
      headers: { 'user-agent': CURL, authorization: `Bearer ${token}` },
    });
    socket.destroy();
    await send('POST', '/apis/apps/v1/namespaces/shop/daemonsets', daemonSet('shop', 'node-tuner'), token);
    await send('POST', '/apis/apps/v1/namespaces/media/daemonsets', daemonSet('media', 'log-rotate'), token);
  }

  test('the incident names actor, address, way in and the second DaemonSet', async () => {
    await must(server, [
      'create',
      'clusterrolebinding',
      'open',
      '--clusterrole=cluster-admin',
      '--user=system:anonymous',
    ]);
    await admin.create(KIND.Pod, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', name: 'web' },
      spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'registry.example.com/web:1' }] },
    });
    await attack();
    const minersPod = async () =>
      (
        await admin.list(KIND.Pod, {
          namespace: 'shop',
          labelSelector: 'app=node-tuner',
          fieldSelector: 'spec.nodeName=n1',
        })
      ).items[0];
    await expect.poll(minersPod, { timeout: 15_000 }).toBeDefined();

    const pod = await minersPod();
    const reported = performance.now();
    await report(pod);
    const attributed = async () => (await incident())?.status?.attribution;
    await expect
      .poll(async () => (await attributed())?.siblings.map(({ name }) => name), {
        timeout: 10_000,
        interval: 50,
      })
      .toContain('log-rotate');
    const took = performance.now() - reported;
    console.log(`detection to attribution on a real API server: ${Math.round(took)} ms`);

    const attribution = await attributed();
    expect(attribution?.creator).toMatchObject({
      user: 'system:serviceaccount:shop:default',
      address: '127.0.0.1',
      userAgent: CURL,
    });
    expect(attribution?.wayIn.map(({ kind }) => kind)).toEqual([
      'grant',
      'secrets',
      'grant',
      'token',
      'exec',
      'create',
    ]);
    expect(attribution?.siblings).toMatchObject([
      { namespace: 'media', kind: 'DaemonSet', strength: 'strong' },
    ]);
    const shown = await must(server, ['get', 'incidents', '-o', 'yaml']);
    expect(shown).toContain('user: system:serviceaccount:shop:default');
  });

  const incident = async (): Promise<Incident | undefined> =>
    (await admin.list(KIND.Incident)).items.find(({ spec }) => spec.namespace === 'shop');

  /** As the agent of node n1. */
  async function report(pod: Awaited<ReturnType<typeof admin.get>>): Promise<void> {
    const [, , , name = ''] = AGENT_USER.split(':');
    const agent = await admin.create(KIND.Pod, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: SYSTEM_NAMESPACE, name },
      spec: { nodeName: 'n1', serviceAccountName: name, containers: [{ name: 'agent', image: 'agent' }] },
    });
    const token = await admin.createToken(
      { namespace: SYSTEM_NAMESPACE, name },
      { audience: TOKEN_AUDIENCE, expirationSeconds: 600, pod: { name, uid: agent.metadata.uid as string } },
    );
    const detection = detectionIn(pod as never, { time: new Date().toISOString(), evidence: {} });
    const answer = await request(`${webhook.url}/v1/detections`, {
      method: 'POST',
      dispatcher: new Agent({ connect: { ca: webhook.caBundle } }),
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({
        apiVersion: 'kubesentry.io/v1alpha1',
        kind: 'DetectionReport',
        node: 'n1',
        detections: [detection],
      }),
    });
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();
  }
});
