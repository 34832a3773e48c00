import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import type { Incident } from '../../api/incident.ts';
import { BlastCandidate } from '../../api/playbook.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { correlate } from '../../webhook/incident/correlate.ts';
import { PodIndex } from '../../webhook/pod-index.ts';
import { reviewAccess } from '../../webhook/response/playbook/access.ts';
import { blastRadius } from '../../webhook/response/playbook/blast-radius.ts';
import { confirm } from '../../webhook/response/playbook/confirm.ts';
import { detectionIn, idOf } from './detections.ts';

const DIGEST = `registry.example.com/app@sha256:${'a'.repeat(64)}`;

interface Shape {
  namespace?: string;
  node?: string;
  image?: string;
  command?: string[];
  account?: string;
  creator?: string;
}

function world(shapes: Record<string, Shape>): PodIndex {
  const pods = new PodIndex();
  for (const [name, shape] of Object.entries(shapes)) {
    const { namespace = 'shop', node = `node-of-${name}`, image = `registry.example.com/${name}:1` } = shape;
    const {
      command = ['serve', name],
      account = `account-of-${name}`,
      creator = `creator-of-${name}`,
    } = shape;
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, uid: `uid-${name}` },
      spec: { nodeName: node, serviceAccountName: account, containers: [{ name: 'main', image, command }] },
    };
    pods.admit(pod, creator);
    pods.set(pod);
  }
  return pods;
}

const ATTACKED: Shape = { node: 'node-1', image: DIGEST, command: ['mine'], account: 'web', creator: 'eve' };

function incidentOn(
  name: string,
  { namespace = 'shop', wallet = 'w', node = 'node-1', rule = 'pool-protocol' },
) {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, uid: `uid-${name}` } };
  const detection = detectionIn(pod, { id: idOf(name), rule });
  const container = detection.container && { ...detection.container, namespace, pod: name };
  const traits = [{ facet: 'wallet' as const, value: wallet }];
  const seen = [{ detection: { ...detection, container }, node, traits }];
  const subject = { namespace, workload: { kind: 'Pod', name } };
  return correlate(undefined, seen, { name, subject, confirmFrom: 0.9 });
}

/** Why each other workload is named, the most connected first. */
function reasons(pods: PodIndex, others: Incident[] = []): [string, string[]][] {
  const outcome = blastRadius(incidentOn('miner', {}), { pods, incidents: others });
  return (outcome.found?.blastRadius ?? []).map((each) => [`${each.namespace}/${each.name}`, each.reasons]);
}

describe('the blast radius', () => {
  it.each<[string, Shape, string]>([
    ['the same template', { image: DIGEST, command: ['mine'] }, 'runs the same image with the same command'],
    ['the same image', { image: DIGEST, namespace: 'billing' }, 'runs the same image'],
    ['the same creator', { creator: 'eve', namespace: 'billing' }, 'was created by eve as well'],
    ['the same service account', { account: 'web' }, 'uses the service account web as well'],
  ])('names who has %s', (_, shape, reason) => {
    const [[name, why] = []] = reasons(world({ miner: ATTACKED, other: shape, innocent: {} }));
    expect(name).toMatch(/\/other$/);
    expect(why).toContain(reason);
  });

  it('does not take an account of the same name elsewhere, or a neighbour without a sign, for connected', () => {
    const pods = world({
      miner: ATTACKED,
      namesake: { account: 'web', namespace: 'billing' },
      neighbour: { node: 'node-1' },
    });
    expect(reasons(pods)).toEqual([]);
  });

  it.each<[string, Parameters<typeof incidentOn>[1], string]>([
    ['a trait, wherever it is', { namespace: 'far', node: 'far', rule: 'other' }, 'shows the same wallet'],
    ['its node', { namespace: 'far', wallet: 'x' }, 'nearby shows pool-protocol as well'],
    ['its namespace', { node: 'far', wallet: 'x' }, 'nearby shows pool-protocol as well'],
  ])('names an incident that shares %s', (_, about, reason) => {
    const [[, why] = []] = reasons(world({ miner: ATTACKED }), [incidentOn('second', about)]);
    expect(why).toEqual([`incident second ${reason}`]);
  });

  it('tells the chain of owners, from the pod up', () => {
    const pods = new PodIndex();
    const reference = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      name: 'web-5d9c',
      uid: 'u',
      controller: true,
    };
    pods.set({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'miner',
        namespace: 'shop',
        uid: 'uid-miner',
        labels: { 'pod-template-hash': '5d9c' },
        ownerReferences: [reference],
      },
      spec: { nodeName: 'node-1', containers: [] },
    });
    expect(blastRadius(incidentOn('miner', {}), { pods, incidents: [] }).evidence).toEqual([
      'owners: Pod shop/miner, made by ReplicaSet web-5d9c, made by Deployment web',
    ]);
  });

  it('keeps room for the accounts of the pods that mined, whatever others claim to be of the workload', () => {
    const pods = world({ miner: { ...ATTACKED, account: 'zz-mined' } });
    for (let at = 0; at < 40; at++) {
      const reference = { apiVersion: 'v1', kind: 'Pod', name: 'miner', uid: 'u', controller: true };
      const metadata = { name: `p${at}`, namespace: 'shop', uid: `u${at}`, ownerReferences: [reference] };
      const spec = { serviceAccountName: `aa-${at}`, containers: [] };
      pods.set({ apiVersion: 'v1', kind: 'Pod', metadata, spec });
    }
    const { found } = blastRadius(incidentOn('miner', {}), { pods, incidents: [] });
    expect(found?.serviceAccounts).toHaveLength(32);
    expect(found?.serviceAccounts).toContain('zz-mined');
  });

  it('fits into the incident whatever users and accounts are called', () => {
    const account = 'a'.repeat(253);
    const creator = `system:serviceaccount:shop:${account}`;
    const pods = world({ miner: { ...ATTACKED, account, creator }, other: { account, creator } });
    const { found } = blastRadius(incidentOn('miner', {}), { pods, incidents: [] });
    expect(found?.blastRadius).toHaveLength(1);
    expect(found?.blastRadius?.every((each) => Value.Check(BlastCandidate, each))).toBe(true);
  });

  it('does not connect an incident elsewhere that shows the same rule', () => {
    const far = incidentOn('second', { namespace: 'far', node: 'far', wallet: 'x' });
    expect(reasons(world({ miner: ATTACKED }), [far])).toEqual([]);
  });
});

describe('the step confirm', () => {
  it('tells the CPU use and what is usual as numbers, and whether the hash is known', () => {
    const { status } = incidentOn('miner', {});
    if (!status) throw new Error('no status');
    const cpu = {
      samples: [
        [0, 96],
        [10_000, 100],
      ],
      baseline: 12.4,
    };
    const findings = [{ rule: 'miner-hash', message: 'Its binary is that of a known miner.' }];
    const detections = status.detections.map((each) => ({ ...each, evidence: { cpu, findings } }));
    const lines = confirm({ ...status, detections }).evidence?.join('\n');
    expect(lines).toContain(
      'cpu: 98 % of what it may use in the mean of 2 samples, 100 % at most; 12 % is usual.',
    );
    expect(lines).toMatch(/hash: [0-9a-f]{64} is a known miner/);
  });
});

describe('the review of access', () => {
  it('names every binding of the accounts of the namespace, the excess of the attacked ones first', async () => {
    const cluster = new MemoryCluster();
    await cluster.create(KIND.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    const rbac = 'rbac.authorization.k8s.io/v1';
    const role = (name: string, resource: string, verb: string) =>
      cluster.create(KIND.ClusterRole, {
        apiVersion: rbac,
        kind: 'ClusterRole',
        metadata: { name },
        rules: [{ apiGroups: [''], resources: [resource], verbs: [verb] }],
      });
    await role('reads-secrets', 'secrets', 'list');
    await role('reads-services', 'services', 'list');
    const bind = (name: string, to: string, subject: object) =>
      cluster.create(KIND.RoleBinding, {
        apiVersion: rbac,
        kind: 'RoleBinding',
        metadata: { name, namespace: 'shop' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: to },
        subjects: [subject],
      });
    const account = (name: string, namespace = 'shop') => ({ kind: 'ServiceAccount', name, namespace });
    await bind('a', 'reads-services', account('web'));
    await bind('b', 'reads-secrets', account('idle'));
    await bind('c', 'reads-secrets', account('web'));
    await bind('d', 'reads-secrets', { kind: 'Group', name: 'system:serviceaccounts:shop' });
    await bind('e', 'reads-secrets', account('web', 'billing'));
    await bind('f', 'gone', account('web'));
    const lines = await reviewAccess(cluster, 'shop', ['web']);
    expect(lines.map((line) => line.replace(/ in shop.*RoleBinding/, ''))).toEqual([
      'excess: web has ClusterRole reads-secrets c): reads Secrets',
      'excess: every account has ClusterRole reads-secrets d): reads Secrets',
      'excess: web has ClusterRole gone f): the role does not exist',
      'excess: idle has ClusterRole reads-secrets b): reads Secrets',
      'access: web has ClusterRole reads-services a)',
    ]);
  });
});
