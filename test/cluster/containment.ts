import { beforeAll, describe, expect, test } from 'vitest';
import { BREAK_GLASS_GROUP } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { KIND } from '../../kube/kind.ts';
import { CONFIGURATION_NAME } from '../../webhook/configuration.ts';
import type { KubectlResult } from './cluster.ts';
import { eventually } from './eventually.ts';
import { must } from './install.ts';
import { daemonSet, mining, type ResponseScene } from './response-scene.ts';

const AS_HUMAN = ['--as=carol', `--as-group=${BREAK_GLASS_GROUP}`, '--as-group=system:masters'];

/** A part of response.test.ts: what a quarantine does, undoes and withstands. */
export function containment(opened: () => ResponseScene): void {
  let scene: ResponseScene;
  beforeAll(() => {
    scene = opened();
  });

  const kubectl = (...args: string[]) => scene.cluster.kubectl(args);
  const apply = (...objects: object[]) =>
    must(
      scene.cluster,
      ['apply', '-f', '-'],
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
    );
  const service = (namespace: string, name: string, selector: object) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: { selector, ports: [{ port: 80 }] },
  });

  const active = (namespace: string, ...conditions: string[]): Promise<Quarantine> =>
    eventually(`quarantine of ${namespace} with ${conditions}`, async () => {
      const { items } = await scene.admin.list(KIND.Quarantine);
      return items.find(
        ({ spec, status }) =>
          spec.namespace === namespace &&
          status?.phase === 'Active' &&
          conditions.every((each) => status.conditions?.some(({ type }) => type === each)),
      );
    });
  const released = (namespace: string) =>
    eventually(`release of ${namespace}`, async () => {
      const live = await scene.admin.get(KIND.Namespace, { name: namespace });
      return live && !('kubesentry.io/quarantine' in (live.metadata.labels ?? {}));
    });

  /** Everything of a namespace that people or Kubesentry write, without what the API server adds to each write. */
  async function everythingIn(namespace: string): Promise<unknown> {
    const kinds =
      'pods,services,daemonsets,deployments,replicasets,serviceaccounts,configmaps,networkpolicies';
    const { items } = JSON.parse(
      await must(scene.cluster, ['get', kinds, '-n', namespace, '-o', 'json', '--show-managed-fields=false']),
    ) as { items: KubeObject[] };
    const itself = await scene.admin.get(KIND.Namespace, { name: namespace });
    return [itself as KubeObject, ...items].map(({ metadata, ...rest }) => {
      const { resourceVersion: _, ...kept } = metadata as KubeObject['metadata'] & {
        managedFields?: unknown;
      };
      delete kept.managedFields;
      return { ...rest, metadata: kept };
    });
  }

  /** A workload behind two Services: one goes by a label that its owner does not need. */
  async function shopIn(namespace: string): Promise<KubeObject> {
    await scene.admin.create(KIND.Namespace, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { team: 'shop' }, annotations: { note: 'theirs' } },
    });
    await apply(
      daemonSet(namespace, 'web', ['serve', namespace], { tier: 'front' }),
      service(namespace, 'front', { app: 'web', tier: 'front' }),
      service(namespace, 'plain', { app: 'web' }),
    );
    const pod = await scene.podOnNode(namespace);
    await eventually('account and CA', async () => {
      const account = await scene.admin.get(KIND.ServiceAccount, { namespace, name: 'default' });
      return account && scene.admin.get(KIND.ConfigMap, { namespace, name: 'kube-root-ca.crt' });
    });
    // The controllers have said everything that they have to say of it.
    await eventually('settled DaemonSet', async () => {
      const found = await scene.admin.get(KIND.DaemonSet, { namespace, name: 'web' });
      const { status, metadata } = found as KubeObject;
      const { observedGeneration, currentNumberScheduled } = (status ?? {}) as Record<string, number>;
      return observedGeneration === metadata?.generation && currentNumberScheduled === 1;
    });
    return pod;
  }

  const tierOf = async (namespace: string) => (await scene.podOnNode(namespace)).metadata.labels?.tier;

  test.each(['by hand', 'by expiry'])('released %s, the namespace is exactly what it was', async (how) => {
    const namespace = `exact-${how.slice(3)}`;
    const pod = await shopIn(namespace);
    const before = await everythingIn(namespace);
    await scene.report([mining(pod)]);
    const { metadata } = await active(namespace, 'NetworkDenied', 'ServicesDetached');
    expect(await tierOf(namespace)).toBeUndefined();
    expect(await everythingIn(namespace)).not.toEqual(before);
    if (how === 'by hand')
      await must(scene.cluster, ['delete', 'quarantine', metadata.name ?? '', ...AS_HUMAN]);
    else {
      const patch = JSON.stringify({ spec: { expiresAt: new Date(Date.now() + 1000).toISOString() } });
      const args = ['patch', 'quarantine', metadata.name ?? '', '--type=merge', '-p', patch];
      await must(scene.cluster, [...args, ...AS_HUMAN]);
    }
    await released(namespace);
    expect(await everythingIn(namespace)).toEqual(before);
  });

  test('the pod keeps its owner, whose label a Service needs as well; the condition names that Service', async () => {
    const pod = await shopIn('services');
    await scene.report([mining(pod)]);
    const { status } = await active('services', 'ServicesDetached');
    const condition = status?.conditions?.find(({ type }) => type === 'ServicesDetached');
    expect(condition).toMatchObject({ status: 'False', reason: 'OwnersNeedTheLabels' });
    expect(condition?.message).toMatch(/still select some: plain\./);
    const after = await scene.podOnNode('services');
    expect(after.metadata).toMatchObject({
      uid: pod.metadata.uid,
      ownerReferences: pod.metadata.ownerReferences,
      labels: { app: 'web' },
    });
    const slices = await must(scene.cluster, ['get', 'endpointslices', '-n', 'services', '-o', 'json']);
    expect(slices).toContain('"kubernetes.io/service-name": "front"');
  });

  test('without the label of its owner a pod is orphaned and another one made: why such labels stay', async () => {
    const pod = await shopIn('orphans');
    const args = ['label', 'pod', '-n', 'orphans', pod.metadata.name ?? '', 'app-'];
    await must(scene.cluster, args);
    const pods = await eventually('a pod too many', async () => {
      const { items } = await scene.admin.list(KIND.Pod, { namespace: 'orphans' });
      const orphan = items.find(({ metadata }) => metadata.uid === pod.metadata.uid);
      return items.length === 2 && !orphan?.metadata.ownerReferences && items;
    });
    expect(pods).toHaveLength(2);
  });

  describe('attacked by an administrator of the namespace', () => {
    /** More than the role admin gives: whatever is refused is refused by Kubesentry and not by RBAC. */
    const AS_MALLORY = ['--as=mallory', '--as-group=system:authenticated'];
    const mallory = (...args: string[]): Promise<KubectlResult> => kubectl(...args, ...AS_MALLORY);
    let incident: string;
    let inside: string;

    beforeAll(async () => {
      const pod = await shopIn('attacked');
      inside = pod.metadata.name ?? '';
      // As if it were ours, and it allows everything.
      await apply({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { namespace: 'attacked', name: 'kubesentry-quarantine' },
        spec: { podSelector: { matchLabels: { app: 'none' } }, policyTypes: ['Egress'], egress: [{}] },
      });
      const { spec } = daemonSet('attacked', 'api', ['serve', 'api']);
      await apply({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { namespace: 'attacked', name: 'api' },
        spec: { ...spec, replicas: 1 },
      });
      await must(scene.cluster, [
        'create',
        'clusterrolebinding',
        'mallory',
        '--clusterrole=cluster-admin',
        '--user=mallory',
      ]);
      await scene.report([mining(pod)]);
      incident = (await active('attacked', 'NetworkDenied', 'ServicesDetached')).spec.incident as string;
    });

    const quarantine = () => incident;

    test.each<[what: string, args: () => string[]]>([
      ['takes the label away', () => ['label', 'namespace', 'attacked', 'kubesentry.io/quarantine-']],
      [
        'changes the label',
        () => ['label', 'namespace', 'attacked', '--overwrite', 'kubesentry.io/quarantine=x'],
      ],
      [
        'deletes the network policy',
        () => ['delete', 'networkpolicy', '-n', 'attacked', 'kubesentry-quarantine'],
      ],
      ['adds a network policy', () => ['create', '-f', 'test/fixtures/allow-all.yaml', '-n', 'attacked']],
      ['deletes the Quarantine', () => ['delete', 'quarantine', quarantine()]],
      [
        'lifts its bans',
        () => ['patch', 'quarantine', quarantine(), '--type=merge', '-p', '{"spec":{"bans":[]}}'],
      ],
      ['deletes the Incident', () => ['delete', 'incident', incident]],
      [
        'dismisses the Incident',
        () => ['patch', 'incident', incident, '--type=merge', '-p', '{"spec":{"dismissed":"no"}}'],
      ],
      ['puts the labels back on a pod', () => ['label', 'pods', '--all', '-n', 'attacked', 'tier=front']],
      ['gets into a pod', () => ['exec', '-n', 'attacked', 'ds/web', '--', 'sh']],
      ['attaches to a pod', () => ['attach', '-n', 'attacked', inside]],
      // As kubectl would, which does not ask before the pod runs.
      [
        'forwards a port',
        () => [
          'create',
          '--raw',
          `/api/v1/namespaces/attacked/pods/${inside}/portforward?ports=80`,
          '-f',
          '/dev/null',
        ],
      ],
      [
        'asks a pod through the API server',
        () => ['get', '--raw', `/api/v1/namespaces/attacked/pods/${inside}/proxy/`],
      ],
      [
        'asks a Service through the API server',
        () => ['get', '--raw', '/api/v1/namespaces/attacked/services/front/proxy/'],
      ],
      ['debugs a pod', () => ['debug', '-n', 'attacked', inside, '--image=registry.example.com/x:1']],
      [
        'makes a Secret with a token',
        () => ['create', '-n', 'attacked', '-f', 'test/fixtures/token-secret.yaml'],
      ],
      ['scales up', () => ['scale', 'deployment', 'api', '--replicas=3', '-n', 'attacked']],
      ['asks for a token', () => ['create', 'token', 'default', '-n', 'attacked']],
      ['deploys', () => ['create', 'deployment', 'x', '--image=registry.example.com/x:1', '-n', 'attacked']],
      ['makes a pod', () => ['run', 'x', '--image=registry.example.com/x:1', '-n', 'attacked']],
    ])('who %s, is refused', async (_what, args) => {
      const { status, stderr } = await mallory(...args());
      expect(stderr).toMatch(/is in quarantine|kubesentry:break-glass/);
      expect(status).not.toBe(0);
    });

    test('who made a NetworkPolicy of our name before, finds nothing allowed in it', async () => {
      const key = { namespace: 'attacked', name: 'kubesentry-quarantine' };
      const policy = await scene.admin.get(KIND.NetworkPolicy, key);
      expect(policy?.spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    });

    test('may do what starts nothing: make other Secrets, scale down, delete', async () => {
      for (const args of [
        ['create', 'secret', 'generic', 'plain', '--from-literal=a=b'],
        ['scale', 'deployment', 'api', '--replicas=0'],
        ['delete', 'deployment', 'api'],
      ]) {
        expect(await mallory(...args, '-n', 'attacked')).toMatchObject({ status: 0 });
      }
    });

    test('what is refused of records is itself recorded, with who tried it', async () => {
      const { stderr } = await mallory('delete', 'incident', incident);
      const [id] = /d-[0-9a-f]+/.exec(stderr) ?? [];
      expect(id).toBeDefined();
      const denial = await eventually('denial', async () => {
        const { stdout } = await kubectl('get', 'denials', '-A', '-o', 'json');
        const { items } = JSON.parse(stdout) as { items: { metadata: { name: string }; spec: object }[] };
        return items.find(({ metadata }) => metadata.name === id);
      });
      expect(JSON.stringify(denial.spec)).toContain('mallory');
      const gone = await mallory('delete', 'denial', '--all', '-A');
      expect(gone.stderr).toContain('kubesentry:break-glass');
    });

    test('what is taken away while nobody guards is put back and told', async () => {
      const key = { name: CONFIGURATION_NAME };
      const guards = (await scene.admin.get(KIND.ValidatingWebhookConfiguration, key)) as KubeObject;
      await scene.admin.delete(KIND.ValidatingWebhookConfiguration, key);
      await eventually('the label to be off', async () => {
        const { status } = await mallory('label', 'namespace', 'attacked', 'kubesentry.io/quarantine-');
        return status === 0;
      });
      await eventually('the label to be told', async () => {
        const { status } = (await scene.admin.get(KIND.Incident, { name: incident })) ?? {};
        return status?.timeline.find(({ message }) =>
          /^The label of namespace attacked .* put back/.test(message),
        );
      });
      const namespace = await scene.admin.get(KIND.Namespace, { name: 'attacked' });
      expect(namespace?.metadata.labels).toMatchObject({ 'kubesentry.io/quarantine': incident });
      const { resourceVersion: _, ...metadata } = guards.metadata;
      await scene.admin.create(KIND.ValidatingWebhookConfiguration, { ...guards, metadata });
    });
  });
}
