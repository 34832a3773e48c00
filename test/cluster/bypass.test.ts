import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BREAK_GLASS_GROUP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';
import { RETENTION } from '../../webhook/audit/columns.ts';
import { SqliteFacts } from '../../webhook/audit/sqlite.ts';
import { EMBEDDING } from '../../webhook/resources.ts';
import { freePort } from './free-port.ts';
import { type KubeletDoor, openKubeletDoor } from './kubelet-door.ts';
import { clusterTests } from './requirement.ts';
import { openWebhookScene, type WebhookScene } from './webhook-scene.ts';

const TOKEN = 'the-token-of-the-audit-webhook';
const WALLET =
  '44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A';
const MINE = `/opt/agent -o stratum+tcp://pool.example.org:3333 -u ${WALLET}`;
const REFUSED = /it looks like a cryptominer/;

const pod = (name: string, container: object, more: { metadata?: object; spec?: object } = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'shop', name, ...more.metadata },
  spec: { containers: [{ name: 'main', image: 'registry.example.com/app:1', ...container }], ...more.spec },
});
const harmless = { command: ['serve'] };
const sh = (script: string) => ({ command: ['sh', '-c', script] });
const template = (container: object) => ({
  metadata: { labels: { app: 'x' } },
  spec: { restartPolicy: 'Always', containers: pod('x', container).spec.containers },
});
const apps = (kind: string, name: string, container: object, more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { namespace: 'shop', name },
  spec: { selector: { matchLabels: { app: 'x' } }, template: template(container), ...more },
});
const job = (container: object) => ({
  template: { spec: { ...template(container).spec, restartPolicy: 'Never' } },
});
const policy = (namespace: string, name: string, spec: object) => ({
  apiVersion: 'kubesentry.io/v1alpha1',
  kind: 'SentryPolicy',
  metadata: { namespace, name },
  spec,
});

/**
 * Ways around admission control that are known of other engines, each against a real API server. A flood that is meant
 * to force timeouts is in test/webhook/overload.test.ts, bodies of every size in test/webhook/body-limit.test.ts.
 */
describe.skipIf(clusterTests.skip)('a way around admission is closed', () => {
  let scene: WebhookScene;
  let kubelet: KubeletDoor;
  let facts: SqliteFacts;
  let apply: WebhookScene['apply'];
  const kubectl = (args: string[], input?: string) => scene.server.kubectl(args, input);
  const refusalOf = async (...objects: object[]) => (await apply(...objects)).stderr;

  beforeAll(async () => {
    kubelet = await openKubeletDoor();
    facts = new SqliteFacts(':memory:', RETENTION);
    const port = await freePort();
    scene = await openWebhookScene({
      name: 'bypass-test',
      kubelet: kubelet.status,
      audit: {
        url: `https://127.0.0.1:${port}/audit`,
        token: TOKEN,
        policy: readFileSync('manifests/audit/policy.yaml', 'utf8'),
      },
      webhook: { port, facts, auditToken: async () => TOKEN },
    });
    apply = scene.apply;
    expect(await apply(pod('web', harmless, { spec: { nodeName: 'n1' } }))).toMatchObject({ status: 0 });
  }, 120_000);
  afterAll(async () => {
    await scene?.close();
    kubelet?.close();
    await facts?.close();
  });

  test('ephemeral containers through the subresource', async () => {
    const patch = {
      spec: { ephemeralContainers: [{ name: 'debug', image: 'busybox', ...sh(MINE) }] },
    };
    const { status, stderr } = await kubectl([
      ...['patch', 'pod', 'web', '-n', 'shop', '--subresource', 'ephemeralcontainers'],
      ...['--type', 'strategic', '-p', JSON.stringify(patch)],
    ]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/ephemeral container in Pod\s+shop\/web is refused/);
  });

  test('exec after admission', async () => {
    const { status, stderr } = await kubectl(['exec', '-n', 'shop', 'web', '--', 'sh', '-c', MINE]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/exec into Pod shop\/web is refused/);
  });

  test('the kubelet through nodes/proxy: no admission sees it, the audit stream raises an alarm', async ({
    skip,
  }) => {
    // The API server proxies to no loopback address.
    if (kubelet.isLoopback) skip('This machine has no address but loopback.');
    const run = await kubectl(['get', '--raw', '/api/v1/nodes/n1/proxy/run/shop/web/main?cmd=id']);
    expect(run).toMatchObject({ status: 0 });
    const alarms = () =>
      scene.read('events', '-A', '--field-selector', 'reason=NodeProxy', '-o', 'jsonpath={..message}');
    await expect
      .poll(alarms, { timeout: 15_000, interval: 200 })
      .toMatch(/spoke to the kubelet of node n1 through nodes\/proxy/);
  });

  test('static pods: the mirror pod is admitted, since denying would only hide it, and recorded', async () => {
    const owner = await scene.admin.get(KIND.Node, { name: 'n1' });
    const ownerReferences = [
      { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: owner?.metadata.uid, controller: true },
    ];
    const annotations = { 'kubernetes.io/config.mirror': 'h', 'kubernetes.io/config.source': 'file' };
    const mirror = pod('static-n1', sh(MINE), {
      metadata: { annotations, ownerReferences },
      spec: { nodeName: 'n1' },
    });
    const node = await connectCluster({
      kubeconfig: scene.server.kubeconfig,
      as: 'system:node:n1',
      asGroups: ['system:nodes', 'system:authenticated'],
    });
    await node.create(KIND.Pod, mirror);
    await node.close();
    await scene.webhook.denialsKept();
    expect(await scene.read('denials', '-n', 'shop', '-o', 'jsonpath={..spec.resource.name}')).toContain(
      'static-n1',
    );
    const copied = { ...mirror, metadata: { ...mirror.metadata, name: 'copied', ownerReferences: [] } };
    expect(await refusalOf(copied)).toMatch(REFUSED);
  });

  test('the namespace label put on or taken off', async () => {
    const label = (value: string) =>
      kubectl(['label', 'namespace', 'billing', `kubesentry.io/quarantine${value}`]);
    expect((await label('=x')).stderr).toMatch(/sets\s+the label by which/);
    const { status } = await apply({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: 'fresh',
        labels: { 'kubesentry.io/ignore': 'true', 'admission.gatekeeper.sh/ignore': 'true' },
      },
    });
    expect(status).toBe(0);
    await kubectl(['wait', '--for=create', '-n', 'fresh', 'serviceaccount/default', '--timeout=15s']);
    expect(await refusalOf(pod('x', sh(MINE), { metadata: { namespace: 'fresh' } }))).toMatch(REFUSED);
  });

  test('an object that is being deleted and held by a finalizer', async () => {
    const name = 'held';
    const held = apps('Deployment', name, harmless, { replicas: 0 });
    expect(
      await apply({ ...held, metadata: { ...held.metadata, finalizers: ['example.com/hold'] } }),
    ).toMatchObject({ status: 0 });
    await kubectl(['delete', 'deployment', name, '-n', 'shop', '--wait=false']);
    const patch = (body: object) =>
      kubectl(['patch', 'deployment', name, '-n', 'shop', '--type', 'merge', '-p', JSON.stringify(body)]);
    expect((await patch({ spec: { template: template(sh(MINE)) } })).stderr).toMatch(REFUSED);
    // What leaves all as it is goes through, or nothing could ever be deleted.
    expect(await patch({ metadata: { finalizers: [] } })).toMatchObject({ status: 0 });
  });

  test('a miner that was there before can be deleted, and never grows', async () => {
    const kept = policy(SYSTEM_NAMESPACE, 'look-away', {
      admission: { namespaces: [{ names: ['billing'], mode: 'off' }] },
    });
    expect(await apply(kept)).toMatchObject({ status: 0 });
    const miner = apps('Deployment', 'old', sh(MINE), { replicas: 0 });
    miner.metadata.namespace = 'billing';
    await expect
      .poll(
        async () =>
          (await apply({ ...miner, metadata: { ...miner.metadata, finalizers: ['example.com/hold'] } }))
            .status,
        { timeout: 10_000, interval: 200 },
      )
      .toBe(0);
    await kubectl(['delete', 'sentrypolicy', 'look-away', '-n', SYSTEM_NAMESPACE]);
    const patch = (body: object) =>
      kubectl(['patch', 'deployment', 'old', '-n', 'billing', '--type', 'merge', '-p', JSON.stringify(body)]);
    await expect
      .poll(async () => (await patch({ spec: { replicas: 3 } })).stderr, { timeout: 10_000, interval: 200 })
      .toMatch(REFUSED);
    // Through the subresource the Deployment grows, and its ReplicaSet does not.
    await kubectl(['scale', 'deployment', 'old', '-n', 'billing', '--replicas=2']);
    const refused = () => scene.read('denials', '-n', 'billing', '-o', 'jsonpath={..spec.resource.kind}');
    await expect.poll(refused, { timeout: 10_000, interval: 200 }).toContain('ReplicaSet');
    expect(await scene.read('pods', '-n', 'billing', '-o', 'name')).toBe('');
    expect(await kubectl(['delete', 'deployment', 'old', '-n', 'billing', '--wait=false'])).toMatchObject({
      status: 0,
    });
    expect(await patch({ metadata: { finalizers: [] } })).toMatchObject({ status: 0 });
  });

  test('exemptions from another namespace; of two the strictest; none after its end', async () => {
    const exempt = { exemptions: [{ namespaces: ['shop'], reason: 'a drill' }] };
    expect(await apply(policy('shop', 'mine', exempt))).toMatchObject({ status: 0 });
    const past = {
      exemptions: [{ namespaces: ['shop'], reason: 'a drill', expires: '2020-01-01T00:00:00Z' }],
    };
    expect(
      await apply(
        policy(SYSTEM_NAMESPACE, 'expired', past),
        policy(SYSTEM_NAMESPACE, 'off', { admission: { mode: 'off' } }),
        policy(SYSTEM_NAMESPACE, 'strict', { admission: { mode: 'enforce' } }),
      ),
    ).toMatchObject({ status: 0 });
    expect(await refusalOf(pod('exempt', sh(MINE)))).toMatch(REFUSED);
    await kubectl(['delete', 'sentrypolicies', '--all', '-n', SYSTEM_NAMESPACE]);
    await kubectl(['delete', 'sentrypolicies', '--all', '-n', 'shop']);
  });

  test('a mode that only warns or only notes: what goes through is told and kept', async () => {
    await apply(
      policy(SYSTEM_NAMESPACE, 'soft', { admission: { namespaces: [{ names: ['shop'], mode: 'warn' }] } }),
      policy(SYSTEM_NAMESPACE, 'quiet', {
        admission: { namespaces: [{ names: ['billing'], mode: 'audit' }] },
      }),
    );
    const kept = async (namespace: string, name: string) => {
      const list = JSON.parse(await scene.read('denials', '-n', namespace, '-o', 'json')) as {
        items: { spec: { verdict: string; resource: { name: string } }; status?: object }[];
      };
      const denial = list.items.find(({ spec }) => spec.resource.name === name);
      return { verdict: denial?.spec.verdict, ...denial?.status };
    };
    await expect
      .poll(async () => (await apply(pod('told', sh(MINE)))).stderr, { timeout: 10_000 })
      .toMatch(/Warning: .*looks like a cryptominer/s);
    expect(await scene.read('pod', 'told', '-n', 'shop', '-o', 'name')).toContain('told');
    await expect
      .poll(() => kept('shop', 'told'), { timeout: 10_000 })
      .toMatchObject({
        verdict: 'warn',
        conditions: [{ type: 'Enforced', status: 'False', reason: 'ModeWarn' }],
      });

    const noted = { ...pod('noted', sh(MINE)), metadata: { namespace: 'billing', name: 'noted' } };
    const { status, stderr } = await apply(noted);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    await expect
      .poll(() => kept('billing', 'noted'), { timeout: 10_000 })
      .toMatchObject({ verdict: 'allow', conditions: [{ type: 'Enforced', reason: 'ModeAudit' }] });
    await kubectl(['delete', 'pod', 'told', '-n', 'shop', '--grace-period=0', '--force']);
    await kubectl(['delete', 'pod', 'noted', '-n', 'billing', '--grace-period=0', '--force']);
    await kubectl(['delete', 'sentrypolicies', '--all', '-n', SYSTEM_NAMESPACE]);
    await expect.poll(() => refusalOf(pod('again', sh(MINE))), { timeout: 10_000 }).toMatch(REFUSED);
  });

  test('another version of the API, and kinds of others that hold a pod', async () => {
    const version = (name: string, storage: boolean) => ({
      name,
      served: true,
      storage,
      schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    });
    const crd = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'rollouts.argoproj.io' },
      spec: {
        group: 'argoproj.io',
        scope: 'Namespaced',
        names: { kind: 'Rollout', plural: 'rollouts', singular: 'rollout' },
        versions: [version('v1alpha1', true), version('v9', false)],
      },
    };
    expect(await apply(crd)).toMatchObject({ status: 0 });
    await kubectl(['wait', '--for=condition=Established', '--timeout=15s', 'crd/rollouts.argoproj.io']);
    for (const apiVersion of ['argoproj.io/v1alpha1', 'argoproj.io/v9']) {
      const rollout = { ...apps('Rollout', 'x', sh(MINE)), apiVersion };
      await expect.poll(() => refusalOf(rollout), { timeout: 10_000, interval: 200 }).toMatch(REFUSED);
    }
  });

  test('every group of others that embeds a pod', async () => {
    const crd = (group: string) => ({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: {
        name: `things.${group}`,
        annotations: { 'api-approved.kubernetes.io': 'unapproved, for a test' },
      },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind: 'Thing', plural: 'things', singular: 'thing' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    });
    expect(await apply(...EMBEDDING.map(crd))).toMatchObject({ status: 0 });
    const names = EMBEDDING.map((group) => `crd/things.${group}`);
    await kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...names]);
    for (const group of EMBEDDING) {
      const thing = { ...apps('Thing', 'x', sh(MINE)), apiVersion: `${group}/v1` };
      const path = `/apis/${group}/v1/namespaces/shop/things`;
      const create = () => kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(thing));
      await expect
        .poll(async () => (await create()).stderr, { timeout: 10_000, message: group })
        .toMatch(REFUSED);
    }
    await kubectl(['delete', ...names]);
  });

  test('a review as large as objects can be', async () => {
    const map = (script: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: 'shop', name: 'large' },
      data: { ballast: 'x'.repeat(900_000), 'run.sh': `#!/bin/sh\n${script}\n` },
    });
    const write = (verb: string, object: object) => kubectl([verb, '-f', '-'], JSON.stringify(object));
    expect(await write('create', map('exec serve'))).toMatchObject({ status: 0 });
    // The old object comes along, so the review is twice as large.
    expect((await write('replace', map(`exec ${MINE}`))).stderr).toMatch(REFUSED);
  });

  test('image prefixes that only look like an exempt registry', async () => {
    const exempt = { exemptions: [{ images: ['registry.io/tools/xmrig'], reason: 'our lab' }] };
    expect(await apply(policy(SYSTEM_NAMESPACE, 'images', exempt))).toMatchObject({ status: 0 });
    const image = (name: string, reference: string) => pod(name, { image: reference });
    await expect
      .poll(async () => (await apply(image('lab', 'registry.io/tools/xmrig:6'))).status, {
        timeout: 10_000,
        interval: 200,
      })
      .toBe(0);
    for (const reference of [
      'registry.io.evil/tools/xmrig',
      'evil.io/registry.io/tools/xmrig',
      'registry.io/tools/xmrig/x',
      'registry.io/tools/xmrig-evil',
    ]) {
      expect(await refusalOf(image('evil', reference)), reference).toMatch(REFUSED);
    }
    await kubectl(['delete', 'sentrypolicy', 'images', '-n', SYSTEM_NAMESPACE]);
  });

  const disguises: Record<string, object> = {
    'look-alike letters': { command: ['/opt/хmrig', '-c', '/c'] },
    'zero-width letters': { command: ['/opt/xm\u200brig'] },
    'full-width letters and case': sh(`/opt/agent -o ＰＯＯＬ.SupportXMR.com:3333 -u ${WALLET}`),
    'argv split over command and args': {
      command: ['/opt/agent', '-o'],
      args: ['pool.example.org:3333', '-u', WALLET],
    },
    '$(VAR)': {
      command: ['/opt/agent'],
      args: ['-o', '$(HOST):3333', '-u', '$(WHO)'],
      env: [
        { name: 'HOST', value: 'pool.example.org' },
        { name: 'WHO', value: WALLET },
      ],
    },
    'a default of the shell': sh(`\${BIN:=/opt/agent} -o pool.example.org:3333 -u \${WHO:=${WALLET}}`),
    base64: sh(`echo ${Buffer.from(MINE).toString('base64')} | base64 -d | sh`),
    'a postStart hook': { lifecycle: { postStart: { exec: sh(MINE) } } },
    'an exec probe': { livenessProbe: { exec: sh(MINE) } },
  };
  test.each(Object.entries(disguises))('a command in disguise: %s', async (_, container) => {
    expect(await refusalOf(pod('disguised', container))).toMatch(REFUSED);
  });

  test('a command that a ConfigMap carries', async () => {
    const map = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: 'shop', name: 'settings' },
      data: { 'config.json': JSON.stringify({ pools: [{ url: 'pool.example.org:3333', user: WALLET }] }) },
    };
    expect(await refusalOf(map)).toMatch(REFUSED);
  });

  test('generateName, and a pod without an owner', async () => {
    const { spec } = pod('x', sh(MINE));
    const nameless = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', generateName: 'x-' },
      spec,
    };
    const { status, stderr } = await kubectl(['create', '-f', '-'], JSON.stringify(nameless));
    expect(status).not.toBe(0);
    expect(stderr).toMatch(REFUSED);
  });

  const owners: object[] = [
    apps('ReplicaSet', 'x', sh(MINE)),
    apps('StatefulSet', 'x', sh(MINE), { serviceName: 'x' }),
    {
      ...apps('x', 'x', sh(MINE)),
      apiVersion: 'v1',
      kind: 'ReplicationController',
      spec: { selector: { app: 'x' }, template: template(sh(MINE)) },
    },
    { ...apps('x', 'x', sh(MINE)), apiVersion: 'batch/v1', kind: 'Job', spec: job(sh(MINE)) },
    {
      ...apps('x', 'x', sh(MINE)),
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      spec: { schedule: '@hourly', jobTemplate: { spec: job(sh(MINE)) } },
    },
    {
      apiVersion: 'v1',
      kind: 'PodTemplate',
      metadata: { namespace: 'shop', name: 'x' },
      template: template(sh(MINE)),
    },
  ];
  test.each(owners.map((owner) => [(owner as { kind: string }).kind, owner] as const))(
    'another kind of owner: %s',
    async (_, owner) => {
      expect(await refusalOf(owner)).toMatch(REFUSED);
    },
  );

  test('pods/resize changes resources and no command', async () => {
    const containers = [{ name: 'main', ...sh(MINE), resources: { requests: { cpu: '1m' } } }];
    const { status } = await kubectl([
      ...['patch', 'pod', 'web', '-n', 'shop', '--subresource', 'resize'],
      ...['-p', JSON.stringify({ spec: { containers } })],
    ]);
    expect(status).not.toBe(0);
    expect(await scene.read('pod', 'web', '-n', 'shop', '-o', 'jsonpath={.spec.containers[0].command}')).toBe(
      '["serve"]',
    );
  });

  test('a command line that a binding brings to a pod which reads it from its annotations', async () => {
    const env = [
      { name: 'RUN', valueFrom: { fieldRef: { fieldPath: "metadata.annotations['example.com/run']" } } },
    ];
    const reader = { command: ['sh', '-c', '$RUN'], env };
    const binding = (name: string, annotations: Record<string, string>) => ({
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { namespace: 'shop', name, annotations },
      target: { apiVersion: 'v1', kind: 'Node', name: 'n1' },
    });
    for (const name of ['late', 'calm']) {
      expect(await apply(pod(name, reader, { spec: { schedulerName: 'nobody' } }))).toMatchObject({
        status: 0,
      });
    }
    const bind = (...[name, annotations]: Parameters<typeof binding>) =>
      kubectl(
        ['create', '--raw', `/api/v1/namespaces/shop/pods/${name}/binding`, '-f', '-'],
        JSON.stringify(binding(name, annotations)),
      );
    expect((await bind('late', { 'example.com/run': MINE })).stderr).toMatch(REFUSED);
    expect(await scene.read('pod', 'late', '-n', 'shop', '-o', 'jsonpath={.spec.nodeName}')).toBe('');
    expect(await bind('calm', { 'example.com/run': 'serve' })).toMatchObject({ status: 0 });
    expect(await bind('late', {})).toMatchObject({ status: 0 });
  });

  test('ownerReferences and labels copied from a part of the system', async () => {
    const spoofed = pod('kube-proxy-abcde', sh(MINE), {
      metadata: {
        labels: { 'k8s-app': 'kube-proxy', 'app.kubernetes.io/part-of': 'kubesentry' },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'DaemonSet',
            name: 'kube-proxy',
            uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
            controller: true,
          },
        ],
      },
    });
    expect(await refusalOf(spoofed)).toMatch(REFUSED);
  });

  test('binding, resize and scale inside a contained namespace', async () => {
    // Before it is contained: a pod that waits for a node, and a Deployment of nothing.
    const resources = { requests: { cpu: '1m' } };
    const waiting = pod(
      'waiting',
      { ...harmless, resources },
      {
        metadata: { namespace: 'billing' },
        spec: { schedulerName: 'nobody' },
      },
    );
    const deployment = apps('Deployment', 'idle', harmless, { replicas: 0 });
    deployment.metadata.namespace = 'billing';
    expect(await apply(waiting, deployment)).toMatchObject({ status: 0 });
    const carol = await connectCluster({
      kubeconfig: scene.server.kubeconfig,
      as: 'carol',
      asGroups: [BREAK_GLASS_GROUP, 'system:masters'],
    });
    await carol.create(KIND.Quarantine, {
      apiVersion: 'kubesentry.io/v1alpha1',
      kind: 'Quarantine',
      metadata: { name: 'drill' },
      spec: { namespace: 'billing', reason: 'a drill', requestedBy: 'carol', bans: [] },
    });
    await carol.close();
    const contained = /is in quarantine/;
    await expect
      .poll(() => refusalOf(pod('new', harmless, { metadata: { namespace: 'billing' } })), {
        timeout: 10_000,
        interval: 200,
      })
      .toMatch(contained);
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { namespace: 'billing', name: 'waiting' },
      target: { apiVersion: 'v1', kind: 'Node', name: 'n1' },
    };
    const bind = (path: string) =>
      kubectl(['create', '--raw', `/api/v1/namespaces/billing/${path}`, '-f', '-'], JSON.stringify(binding));
    expect((await bind('pods/waiting/binding')).stderr).toMatch(contained);
    expect((await bind('bindings')).stderr).toMatch(contained);
    const resize = { spec: { containers: [{ name: 'main', resources: { requests: { cpu: '2m' } } }] } };
    expect(
      (
        await kubectl([
          'patch',
          'pod',
          'waiting',
          '-n',
          'billing',
          '--subresource',
          'resize',
          '-p',
          JSON.stringify(resize),
        ])
      ).stderr,
    ).toMatch(contained);
    expect((await kubectl(['scale', 'deployment', 'idle', '-n', 'billing', '--replicas=1'])).stderr).toMatch(
      contained,
    );
    expect((await kubectl(['label', 'namespace', 'billing', 'kubesentry.io/quarantine-'])).stderr).toMatch(
      /removes\s+the label/,
    );
  });
});
