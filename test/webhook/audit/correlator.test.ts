import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { SYSTEM_NAMESPACE } from '../../../api/names.ts';
import type { KubeObject } from '../../../api/object.ts';
import { KIND } from '../../../kube/kind.ts';
import { MemoryCluster } from '../../../kube/memory/cluster.ts';
import { AuditCorrelator } from '../../../webhook/audit/correlator.ts';
import type { Fact } from '../../../webhook/audit/fact.ts';
import { IncidentStore } from '../../../webhook/incident/store.ts';
import { Metrics } from '../../../webhook/metrics.ts';
import { ResponseLoop } from '../../../webhook/response/loop.ts';
import { ClusterView } from '../../../webhook/view.ts';
import { detectionIn } from '../detections.ts';
import { indicators, log } from '../harness.ts';
import { ATTACKER, anonymousAttack, CAUGHT } from './attack.ts';
import { ANONYMOUS, fact, MINER, MINUTE, NOON, type Template, write } from './facts.ts';
import { MemoryFacts } from './memory-facts.ts';

/** The parts of a webhook that audit facts reach, over a cluster in memory. */
async function scene(facts = new MemoryFacts()) {
  const cluster = new MemoryCluster();
  for (const name of ['shop', 'media', 'default', SYSTEM_NAMESPACE]) {
    await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  const metrics = new Metrics();
  const clock = () => new Date(CAUGHT + MINUTE);
  const view = new ClusterView({ cluster, indicators, onError: () => undefined });
  const incidents: IncidentStore = new IncidentStore({
    cluster,
    policy: () => view.policy,
    clock,
    log,
    onChange: (incident) => {
      void response.containAtOnce(incident);
      correlator.noteIncident(incident);
    },
  });
  const response = new ResponseLoop({
    cluster,
    incidents,
    view,
    metrics,
    log,
    clock,
    noteQuarantine: (each) => view.noteQuarantine(each),
  });
  const correlator: AuditCorrelator = new AuditCorrelator({
    cluster,
    facts,
    incidents,
    view,
    metrics,
    log,
    clock,
  });
  await view.synced;
  return {
    cluster,
    view,
    correlator,
    metrics,
    async hear(heard: readonly Fact[]) {
      await facts.add(heard);
      correlator.noteFacts(heard);
    },
    /** A workload and a pod of it, as they are after the request. */
    async deploy(namespace: string, name: string, template: Template): Promise<KubeObject> {
      const spec = { containers: [{ name: 'main', ...template }] };
      const selector = { matchLabels: { app: name } };
      const labels = { app: name };
      const daemonSet = await cluster.create(KIND.DaemonSet, {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name, namespace },
        spec: { selector, template: { metadata: { labels }, spec } },
      });
      const pod = await cluster.create(KIND.Pod, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: `${name}-abcde`,
          namespace,
          labels,
          ownerReferences: [
            {
              apiVersion: 'apps/v1',
              kind: 'DaemonSet',
              name,
              uid: daemonSet.metadata.uid as string,
              controller: true,
            },
          ],
        },
        spec: { nodeName: 'node-1', ...spec },
      });
      await expect.poll(() => view.pods.byUid(pod.metadata.uid as string)?.exists).toBe(true);
      return pod;
    },
    async detect(pod: KubeObject) {
      const detection = detectionIn(pod, { time: new Date(CAUGHT).toISOString() });
      const known = view.pods.byUid(pod.metadata.uid as string);
      const { namespace = '', name = '' } = pod.metadata;
      const container = {
        ...detection.container,
        namespace,
        pod: name,
        workload: known?.workload ?? null,
        name: 'main',
      };
      await incidents.add([
        { detection: { ...detection, container: container as never }, node: 'node-1', pod: known },
      ]);
    },
    incident: async (start: string) =>
      (await cluster.list(KIND.Incident)).items.find(({ metadata }) => metadata.name?.startsWith(start)),
    counted: async (name: string) =>
      (await metrics.registry.getSingleMetric(name)?.get())?.values.filter(({ value }) => value > 0) ?? [],
    async close() {
      await correlator.close();
      await response.close();
      await view.close();
    },
  };
}

let at: Awaited<ReturnType<typeof scene>>;
beforeEach(async () => {
  at = await scene();
});
afterEach(() => at.close());

describe('attribution of an incident', () => {
  it('names creator, address and way in, with audit ids in the timeline', async () => {
    const facts = anonymousAttack();
    await at.hear(facts);
    await at.detect(await at.deploy('shop', 'node-tuner', MINER));
    await at.correlator.settled();
    const { status } = (await at.incident('shop-node-tuner')) ?? {};
    expect(status?.attribution?.creator).toMatchObject({
      user: 'system:serviceaccount:shop:backup',
      address: ATTACKER,
      userAgent: 'curl/8.5.0',
    });
    expect(status?.attribution?.wayIn.map(({ kind }) => kind)).toEqual([
      'secrets',
      'grant',
      'token',
      'exec',
      'create',
    ]);
    const told = status?.timeline.filter(({ source }) => source === 'audit') ?? [];
    const ids = new Set(facts.map(({ id }) => id));
    expect(told.length).toBeGreaterThanOrEqual(5);
    expect(told.every(({ reference }) => ids.has(reference ?? ''))).toBe(true);
  });

  it('is made again when facts come after the incident', async () => {
    await at.detect(await at.deploy('shop', 'node-tuner', MINER));
    await at.correlator.settled();
    expect((await at.incident('shop-node-tuner'))?.status?.attribution?.creator).toBeUndefined();
    await at.hear(anonymousAttack());
    await at.correlator.settled();
    expect((await at.incident('shop-node-tuner'))?.status?.attribution?.creator?.address).toBe(ATTACKER);
  });

  it('writes nothing more when nothing more is known', async () => {
    const facts = anonymousAttack();
    await at.hear(facts);
    await at.detect(await at.deploy('shop', 'node-tuner', MINER));
    await expect.poll(async () => (await at.incident('shop-node-tuner'))?.status?.phase).toBe('Contained');
    await at.correlator.settled();
    const before = await at.incident('shop-node-tuner');
    await at.hear(facts);
    await at.correlator.settled();
    expect((await at.incident('shop-node-tuner'))?.metadata.resourceVersion).toBe(
      before?.metadata.resourceVersion,
    );
  });

  it('stays within its bounds when the attacker deploys five hundred copies', async () => {
    const copies = Array.from({ length: 500 }, (_, index) =>
      write('DaemonSet', `ns-${index}`, 'x'.repeat(200), MINER, {
        address: ATTACKER,
        actor: { user: 'y'.repeat(900) },
        time: NOON + index,
      }),
    );
    await at.hear([...anonymousAttack(), ...copies]);
    await at.detect(await at.deploy('shop', 'node-tuner', MINER));
    await at.correlator.settled();
    const incident = await at.incident('shop-node-tuner');
    expect(incident?.status?.attribution?.siblings).toHaveLength(32);
    expect(JSON.stringify(incident).length).toBeLessThan(512 * 1024);
  });
});

describe('siblings', () => {
  it('opens an incident for the second miner and contains it', async () => {
    await at.deploy('media', 'log-rotate', MINER);
    await at.hear(anonymousAttack());
    await at.detect(await at.deploy('shop', 'node-tuner', MINER));
    await at.correlator.settled();
    const first = await at.incident('shop-node-tuner');
    expect(first?.status?.attribution?.siblings[0]).toMatchObject({
      name: 'log-rotate',
      strength: 'strong',
      incident: expect.stringContaining('media-log-rotate'),
    });
    const second = await at.incident('media-log-rotate');
    expect(second?.status?.phase).toMatch(/Confirmed|Contained/);
    await expect
      .poll(async () =>
        (await at.cluster.list(KIND.Quarantine)).items.map(({ spec }) => spec.namespace).sort(),
      )
      .toEqual(['media', 'shop']);
  });

  it('only names what the same hands made and what is no miner', async () => {
    const web = { image: 'docker.io/library/nginx:1.29' };
    await at.deploy('media', 'web', web);
    await at.hear([
      ...anonymousAttack().filter(({ target }) => target.namespace !== 'media'),
      write('DaemonSet', 'media', 'web', web, {
        address: ATTACKER,
        actor: { ...ANONYMOUS },
        time: NOON + MINUTE,
      }),
    ]);
    await at.detect(await at.deploy('shop', 'node-tuner', MINER));
    await at.correlator.settled();
    const incident = await at.incident('shop-node-tuner');
    expect(incident?.status?.attribution?.siblings).toMatchObject([{ name: 'web', verdict: 'allow' }]);
    expect(incident?.status?.attribution?.siblings[0]?.incident).toBeUndefined();
    expect((await at.cluster.list(KIND.Incident)).items).toHaveLength(1);
  });
});

describe('a copy that nothing in its manifest gives away', () => {
  const agent = { image: 'docker.io/acme/agent:2', command: ['/agent', '--quiet'] };
  const copies = () => [
    write('DaemonSet', 'shop', 'node-tuner', agent, { address: ATTACKER, actor: { user: 'mallory' } }),
    write('DaemonSet', 'media', 'log-rotate', agent, {
      address: ATTACKER,
      actor: { user: 'mallory' },
      time: NOON + MINUTE,
    }),
  ];
  const both = async () => {
    await at.deploy('media', 'log-rotate', agent);
    await at.detect(await at.deploy('shop', 'node-tuner', agent));
    await at.correlator.settled();
  };

  it('gets an incident when the container was made to mine', async () => {
    await at.hear(copies());
    await both();
    expect((await at.incident('media-log-rotate'))?.status?.detections[0]?.rule).toBe('shared-fingerprint');
  });

  it('is only a candidate when somebody went into the pod that mines', async () => {
    const into = { subresource: 'exec', name: 'node-tuner-abcde' };
    await at.hear([
      ...copies(),
      fact({ time: NOON + MINUTE, verb: 'get', code: 101, actor: { user: 'eve' }, target: into }),
    ]);
    await both();
    expect(await at.incident('media-log-rotate')).toBeUndefined();
    const { siblings } = (await at.incident('shop-node-tuner'))?.status?.attribution ?? {};
    expect(siblings).toMatchObject([{ name: 'log-rotate', verdict: 'allow' }]);
  });
});

describe('what failed open', () => {
  const passed = (name: string, template: Template) =>
    write('DaemonSet', 'shop', name, template, {
      details: { failedOpen: 'deploy.kubesentry.io' },
      actor: { user: 'mallory' },
    });

  it('is judged afterwards: a miner gets an incident, an Event and a critical finding', async () => {
    await at.deploy('shop', 'node-tuner', MINER);
    await at.hear([passed('node-tuner', MINER)]);
    await at.correlator.settled();
    expect((await at.incident('shop-node-tuner'))?.status?.attribution?.creator?.user).toBe('mallory');
    const findings = await at.counted('kubesentry_audit_findings_total');
    expect(findings.map(({ labels }) => labels)).toContainEqual({
      rule: 'failed-open',
      severity: 'critical',
    });
    const events = (await at.cluster.list(KIND.Event, { namespace: 'shop' })).items;
    expect(
      events.map(({ reason, regarding }) => [reason, (regarding as { name: string }).name]),
    ).toContainEqual(['FailedOpen', 'node-tuner']);
  });

  it('is let be when it is harmless or gone', async () => {
    await at.deploy('shop', 'web', { image: 'docker.io/library/nginx:1.29' });
    await at.hear([passed('web', { image: 'docker.io/library/nginx:1.29' }), passed('gone', MINER)]);
    await at.correlator.settled();
    expect(await at.incident('shop')).toBeUndefined();
    expect(
      (await at.counted('kubesentry_audit_judged_total')).map(({ labels }) => labels.outcome).sort(),
    ).toEqual(['clean', 'gone']);
  });
});

describe('findings', () => {
  it('reach the incident of the workload and of the hands', async () => {
    await at.hear(anonymousAttack());
    const pod = await at.deploy('shop', 'node-tuner', MINER);
    await at.detect(pod);
    await at.correlator.settled();
    const into = fact({
      time: CAUGHT + 1000,
      verb: 'get',
      code: 101,
      actor: { user: 'mallory' },
      command: ['xmrig', '-o', 'pool.supportxmr.com:443'],
      target: { subresource: 'exec', name: pod.metadata.name as string },
    });
    await at.hear([into]);
    await at.correlator.settled();
    const { timeline = [] } = (await at.incident('shop-node-tuner'))?.status ?? {};
    expect(timeline.find(({ reference }) => reference === into.id)?.message).toContain('mallory');
  });

  it('are counted by rule and severity', async () => {
    await at.hear(anonymousAttack());
    await at.correlator.settled();
    const labels = (await at.counted('kubesentry_audit_findings_total')).map(
      (each) => `${each.labels.rule} ${each.labels.severity}`,
    );
    expect(labels).toEqual(
      expect.arrayContaining(['anonymous-allowed high', 'anonymous-allowed critical', 'powerful-grant high']),
    );
  });
});

it('asks again when the store fails', async () => {
  let failures = 1;
  const facts = new MemoryFacts();
  const find = facts.find.bind(facts);
  facts.find = async (query) => {
    if (failures-- > 0) throw new Error('the disk is full');
    return find(query);
  };
  const broken = await scene(facts);
  onTestFinished(() => broken.close());
  await facts.add(anonymousAttack());
  await broken.detect(await broken.deploy('shop', 'node-tuner', MINER));
  await expect
    .poll(async () => (await broken.incident('shop-node-tuner'))?.status?.attribution?.creator?.address, {
      timeout: 5000,
    })
    .toBe(ATTACKER);
});
