import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KubesentryError } from '../../api/errors.ts';
import type { Incident } from '../../api/incident.ts';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { KubeObject } from '../../api/object.ts';
import type { PlaybookStep, StepStatus } from '../../api/playbook.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import type { DaemonSetController } from '../../kube/memory/daemon-set-controller.ts';
import { terminate } from '../../webhook/response/playbook/terminate.ts';
import { COLLECTOR, mineIn, runDaemonSet } from './attack.ts';
import { eventually, openScene, podOf, refusal, type Scene, workloadOf } from './harness.ts';

let scene: Scene;
let pod: KubeObject;
let controller: DaemonSetController;
beforeEach(async () => {
  scene = await openScene();
  await scene.cluster.create(KIND.ServiceAccount, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace: 'shop', annotations: { team: 'shop' } },
  });
  ({ pod, controller } = await runDaemonSet(scene));
});
afterEach(async () => {
  await controller.stop();
  await scene[Symbol.asyncDispose]();
});

const incidentNamed = async (name: string) => scene.cluster.get(KIND.Incident, { name });

function stepIn(name: string, step: PlaybookStep, state: StepStatus['state']): Promise<StepStatus> {
  return eventually(async () => {
    const found = (await incidentNamed(name))?.status?.steps?.find((each) => each.step === step);
    return found?.state === state ? found : undefined;
  }, `${step} ${state}`);
}

/** Once the response has written what it has to say, or the patch would come in between again and again. */
async function approve(name: string, ...approvals: PlaybookStep[]): Promise<void> {
  await stepIn(name, 'wayIn', 'Done');
  await scene.as('breakGlass').patch(KIND.Incident, { name }, { spec: { approvals } });
}

async function allow(steps: Partial<Record<PlaybookStep, 'auto' | 'approve' | 'off'>>): Promise<void> {
  await scene.cluster.create(KIND.SentryPolicy, {
    apiVersion: 'kubesentry.io/v1alpha1',
    kind: 'SentryPolicy',
    metadata: { name: 'response', namespace: SYSTEM_NAMESPACE },
    spec: { response: { steps } },
  });
}

const collector = () => scene.cluster.get(KIND.DaemonSet, { namespace: 'shop', name: 'collector' });
const podsOf = async () => (await scene.cluster.list(KIND.Pod, { namespace: 'shop' })).items;

describe('the playbook without a policy', () => {
  it('looks at once, and waits for people before it destroys', async () => {
    const { metadata } = await mineIn(scene, pod);
    const name = metadata.name as string;
    const confirmed = await stepIn(name, 'confirm', 'Done');
    expect(confirmed.evidence.join('\n')).toMatch(/process: .*\n.*parent: [\s\S]*hash: [\s\S]*cpu: /);
    const waiting = await stepIn(name, 'terminate', 'AwaitingApproval');
    expect(waiting.message).toContain(`kubectl kubesentry approve ${name} terminate`);
    await stepIn(name, 'revoke', 'AwaitingApproval');
    await stepIn(name, 'wayIn', 'Done');
    expect(await collector()).toBeDefined();
    expect((await incidentNamed(name))?.status?.steps?.map(({ step }) => step)).toEqual([
      'confirm',
      'blastRadius',
      'terminate',
      'revoke',
      'wayIn',
    ]);
  });

  it('takes approval from the break-glass group alone', async () => {
    const { metadata } = await mineIn(scene, pod);
    const patch = scene
      .as('alice')
      .patch(KIND.Incident, { name: metadata.name as string }, { spec: { approvals: ['terminate'] } });
    expect(await refusal(patch)).toContain('kubesentry:break-glass');
  });
});

describe('the approved step terminate', () => {
  it('deletes the owner and its pods, keeps the manifest, and nothing comes again', async () => {
    await scene.as('alice').create(KIND.Pod, podOf('innocent', 'shop'));
    const { metadata } = await mineIn(scene, pod);
    const name = metadata.name as string;
    await stepIn(name, 'terminate', 'AwaitingApproval');
    await approve(name, 'terminate');
    const done = await stepIn(name, 'terminate', 'Done');
    expect(await collector()).toBeUndefined();
    expect((await podsOf()).map((each) => each.metadata.name)).toEqual(['innocent']);
    expect(done.evidence[0]).toMatch(/^deleted: DaemonSet shop\/collector/);
    expect(done.undo).toMatch(/^kubectl -n kubesentry-system get secret .*-evidence/);
    const again = scene
      .as('alice')
      .create(KIND.DaemonSet, workloadOf('DaemonSet', 'other', 'billing', COLLECTOR));
    expect(await refusal(again)).toContain(name);
  });

  it('counts how often the owner was refused new pods in between', async () => {
    const { metadata } = await mineIn(scene, pod);
    const name = metadata.name as string;
    await scene.cluster.delete(KIND.Pod, { namespace: 'shop', name: pod.metadata.name as string });
    await eventually(async () => {
      const { items } = await scene.cluster.list(KIND.Event, { namespace: 'shop' });
      return items.find(({ reason }) => reason === 'FailedCreate');
    }, 'a refused respawn');
    await approve(name, 'terminate');
    const done = await stepIn(name, 'terminate', 'Done');
    expect(done.evidence.join('\n')).toMatch(/refused: \d+ attempts? to make its pods again/);
  });

  it('names an owner that it may not delete, and deletes its pods', async () => {
    const owned = podOf('step-1', 'billing');
    owned.metadata.ownerReferences = [
      { apiVersion: 'argoproj.io/v1alpha1', kind: 'Workflow', name: 'mine', uid: 'w', controller: true },
    ];
    owned.spec = { ...(owned.spec as object), nodeName: 'node-1' };
    const created = await scene.cluster.create(KIND.Pod, owned);
    await eventually(
      async () => (await scene.cluster.get(KIND.Pod, { name: 'step-1', namespace: 'billing' })) ?? undefined,
      'pod',
    );
    const { metadata } = await mineIn(scene, created);
    const name = metadata.name as string;
    await stepIn(name, 'terminate', 'AwaitingApproval');
    await approve(name, 'terminate');
    const done = await stepIn(name, 'terminate', 'Done');
    expect(done.evidence.join('\n')).toContain('left to people: Workflow billing/mine');
    expect(await scene.cluster.get(KIND.Pod, { name: 'step-1', namespace: 'billing' })).toBeUndefined();
  });

  it('deletes the owners from the top down, a kind that others brought along included', async () => {
    const kind = { apiVersion: 'ml.example.com/v1', kind: 'Training', plural: 'trainings', namespaced: true };
    const key = (name: string) => ({ namespace: 'billing', name });
    const top = await scene.cluster.create(kind, { ...kind, metadata: key('llm') } as KubeObject);
    const referenceTo = ({ apiVersion, kind: of, metadata }: KubeObject) => [
      { apiVersion, kind: of, name: metadata.name ?? '', uid: metadata.uid ?? '', controller: true },
    ];
    const job = await scene.cluster.create(KIND.Job, {
      ...workloadOf('Job', 'llm-train', 'billing', { image: 'llm:1', command: ['train'] }),
      apiVersion: 'batch/v1',
      metadata: { ...key('llm-train'), ownerReferences: referenceTo(top) },
    });
    const created = await scene.cluster.create(KIND.Pod, {
      ...podOf('llm-train-x', 'billing'),
      metadata: { ...key('llm-train-x'), ownerReferences: referenceTo(job) },
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'llm:1', command: ['train'] }] },
    });
    const { metadata } = await mineIn(scene, created);
    const name = metadata.name as string;
    await approve(name, 'terminate');
    const done = await stepIn(name, 'terminate', 'Done');
    expect(
      done.evidence.filter((line) => line.startsWith('deleted: ')).map((line) => line.split(' ')[1]),
    ).toEqual(expect.arrayContaining(['Training', 'Job']));
    expect(await scene.cluster.get(kind, key('llm'))).toBeUndefined();
    expect(await scene.cluster.get(KIND.Job, key('llm-train'))).toBeUndefined();
    expect(done.undo).toContain('Job\\.llm-train');
  });

  it.each<[string, string, object]>([
    [
      'a Job that is named as if a CronJob had made it',
      'CronJob',
      { apiVersion: 'batch/v1', kind: 'Job', name: 'ledger-29384756' },
    ],
    [
      'a ReplicaSet that is named as if a Deployment had made it',
      'Deployment',
      { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'ledger-5d9c' },
    ],
    ['nothing but what it claims', 'DaemonSet', { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'ledger' }],
  ])('spares an innocent owner whose pod the attacker wrote: made by %s', async (_, kind, maker) => {
    const innocent = { image: 'ledger:3', command: ['book'] };
    const evil = { image: 'evil.example.com/x', command: ['sh'] };
    const ownerKind = KIND[kind as 'CronJob'];
    const { apiVersion } = ownerKind;
    await scene.cluster.create(ownerKind, { ...workloadOf(kind, 'ledger', 'billing', innocent), apiVersion });
    const { kind: makerKind, name: makerName } = maker as { kind: string; name: string };
    const isForged = makerKind === kind;
    const by = isForged
      ? await scene.cluster.get(ownerKind, { namespace: 'billing', name: 'ledger' })
      : await scene.cluster.create(KIND[makerKind as 'Job'], {
          ...workloadOf(makerKind, makerName, 'billing', evil),
          ...maker,
        });
    const reference = { ...maker, uid: by?.metadata.uid as string, controller: true };
    const forged = (name: string, container: object, uid = reference.uid) =>
      scene.cluster.create(KIND.Pod, {
        ...podOf(name, 'billing', container),
        metadata: {
          namespace: 'billing',
          name,
          labels: { 'pod-template-hash': '5d9c' },
          ownerReferences: [{ ...reference, uid } as never],
        },
        spec: { nodeName: 'node-1', containers: [{ name: 'main', ...container }] },
      });
    const mining = await forged('mining', evil);
    await forged('working', innocent, 'of another Job or ReplicaSet of that name');
    await mineIn(scene, mining);
    const { items } = await scene.cluster.list(KIND.Incident);
    expect(items[0]?.spec.workload).toEqual({ kind, name: 'ledger' });
    const name = items[0]?.metadata.name as string;
    await approve(name, 'terminate');
    const done = await stepIn(name, 'terminate', 'Done');
    expect(done.evidence[0]).toMatch(new RegExp(`^spared: ${kind} billing/ledger: `));
    expect(done.message).toContain('The pods that mined are gone.');
    expect(await scene.cluster.get(ownerKind, { namespace: 'billing', name: 'ledger' })).toBeDefined();
    const left = (await scene.cluster.list(KIND.Pod, { namespace: 'billing' })).items;
    const names = left.map(({ metadata }) => metadata.name);
    expect(names).toContain('working');
    expect(names).not.toContain('mining');
    if (isForged) return;
    expect(
      await scene.cluster.get(KIND[makerKind as 'Job'], { namespace: 'billing', name: makerName }),
    ).toBeUndefined();
  });

  it('does not take other static pods of a node for its own, and tells who can end one', async () => {
    const mirror = (name: string) =>
      scene.cluster.create(KIND.Pod, {
        ...podOf(name, 'billing'),
        metadata: {
          namespace: 'billing',
          name,
          annotations: { 'kubernetes.io/config.mirror': 'h', 'kubernetes.io/config.hash': name },
          ownerReferences: [
            { apiVersion: 'v1', kind: 'Node', name: 'node-1', uid: 'n', controller: true } as never,
          ],
        },
        spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'x:1', command: ['mine'] }] },
      });
    const mining = await mirror('worker-node-1');
    const other = await mirror('etcd-node-1');
    await mineIn(scene, mining);
    const [incident] = (await scene.cluster.list(KIND.Incident)).items;
    expect(incident?.spec.workload).toEqual({ kind: 'Pod', name: 'worker-node-1' });
    const name = incident?.metadata.name as string;
    await approve(name, 'terminate');
    const { evidence } = await stepIn(name, 'terminate', 'Running');
    expect(evidence.join()).toContain('Pod billing/worker-node-1, which node node-1 runs from a file');
    for (const { metadata } of [mining, other]) {
      const key = { namespace: 'billing', name: metadata.name as string };
      expect((await scene.cluster.get(KIND.Pod, key))?.metadata.uid).toBe(metadata.uid);
    }
  });

  it('asks ever less often for a pod that a finalizer holds, whatever else changes meanwhile', async () => {
    const held = podOf('held', 'billing', { command: ['serve'] });
    held.metadata.finalizers = ['example.com/hold'];
    held.spec = { ...(held.spec as object), nodeName: 'node-1' };
    await mineIn(scene, await scene.cluster.create(KIND.Pod, held));
    const name = (await scene.cluster.list(KIND.Incident)).items[0]?.metadata.name as string;
    await approve(name, 'terminate');
    const { evidence } = await stepIn(name, 'terminate', 'Running');
    expect(evidence.join()).toContain('it waits for its finalizers example.com/hold');
    const list = vi.spyOn(MemoryCluster.prototype, 'list');
    const end = performance.now() + 2_000;
    for (let at = 0; performance.now() < end; at++) {
      const annotations = { at: `${at}` };
      await scene.cluster.patch(KIND.Namespace, { name: 'default' }, { metadata: { annotations } });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const asked = list.mock.calls.filter(
      ([kind, query]) => kind.kind === 'Pod' && query?.namespace === 'billing',
    );
    list.mockRestore();
    // Twice in one attempt, after 0.5, 1 and 2 seconds.
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.length).toBeLessThanOrEqual(6);
    const key = { namespace: 'billing', name: 'held' };
    await scene.cluster.patch(KIND.Pod, key, { metadata: { finalizers: null } });
    await stepIn(name, 'terminate', 'Done');
  });

  it('says why when the API server refuses, and goes on when it no longer does', async () => {
    const { metadata } = await mineIn(scene, pod);
    const name = metadata.name as string;
    await stepIn(name, 'terminate', 'AwaitingApproval');
    const lift = await forbidDeletingDaemonSets(scene);
    await approve(name, 'terminate');
    const failed = await stepIn(name, 'terminate', 'Failed');
    expect(failed.message).toContain('dead.example.com');
    expect(await podsOf()).not.toEqual([]);
    await lift();
    await approve(name, 'terminate', 'report');
    await stepIn(name, 'terminate', 'Done');
  });
});

it('the step terminate tells the accounts of pods that no watch had shown before they were gone', async () => {
  const { metadata } = await mineIn(scene, pod);
  const { status: _, ...unseen } = (await incidentNamed(metadata.name as string)) as Incident;
  const { found } = await terminate(unseen, { cluster: scene.cluster, gracePeriodSeconds: 0 });
  expect(await podsOf()).toEqual([]);
  expect(found).toEqual({ serviceAccounts: ['default'] });
});

describe('the approved step revoke', () => {
  it('makes the account anew after the pods are gone, and names what it could do', async () => {
    const before = await scene.cluster.get(KIND.ServiceAccount, { namespace: 'shop', name: 'default' });
    await scene.cluster.create(KIND.ClusterRole, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'reader' },
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['list'] }],
    });
    await scene.cluster.create(KIND.ClusterRoleBinding, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'shop-reads' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'shop' }],
    });
    const { metadata } = await mineIn(scene, pod);
    const name = metadata.name as string;
    await approve(name, 'revoke');
    await eventually(
      async () =>
        (await stepIn(name, 'revoke', 'AwaitingApproval')).message.includes('terminate') ? true : undefined,
      'revoke waits for terminate',
    );
    await approve(name, 'revoke', 'terminate');
    const done = await stepIn(name, 'revoke', 'Done');
    expect(done.evidence.join('\n')).toMatch(
      /excess: default has ClusterRole reader everywhere .*reads Secrets/,
    );
    const after = await scene.cluster.get(KIND.ServiceAccount, { namespace: 'shop', name: 'default' });
    expect(after?.metadata.uid).not.toBe(before?.metadata.uid);
    expect(after?.metadata.annotations).toEqual({ team: 'shop' });
    await stepIn(name, 'report', 'Done');
  });

  it('does not call an account renewed that a finalizer holds', async () => {
    const key = { namespace: 'shop', name: 'default' };
    const held = { metadata: { finalizers: ['example.com/hold'] } };
    const before = await scene.cluster.patch(KIND.ServiceAccount, key, held);
    const { metadata } = await mineIn(scene, pod);
    const name = metadata.name as string;
    await approve(name, 'terminate', 'revoke');
    const { evidence } = await stepIn(name, 'revoke', 'Running');
    expect(evidence[0]).toBe(
      'waiting: ServiceAccount shop/default is told to go, it waits for its finalizers example.com/hold',
    );
    await scene.cluster.patch(KIND.ServiceAccount, key, { metadata: { finalizers: null } });
    await stepIn(name, 'revoke', 'Done');
    const after = await scene.cluster.get(KIND.ServiceAccount, key);
    expect(after?.metadata.uid).not.toBe(before.metadata.uid);
  });
});

describe('a policy that says auto', () => {
  it('runs all six steps without anybody', async () => {
    await allow({ terminate: 'auto', revoke: 'auto' });
    const { metadata } = await mineIn(scene, pod);
    const name = metadata.name as string;
    await stepIn(name, 'report', 'Done');
    expect(await collector()).toBeUndefined();
    const lines = (await incidentNamed(name))?.status?.timeline.map(({ message }) => message) ?? [];
    expect(
      lines.filter((line) => /^(confirm|blastRadius|terminate|revoke|wayIn|report): /.test(line)).length,
    ).toBeGreaterThanOrEqual(6);
  });
});

describe('a policy that says off', () => {
  it('skips the step and says so', async () => {
    await allow({ terminate: 'off' });
    const { metadata } = await mineIn(scene, pod);
    const skipped = await stepIn(metadata.name as string, 'terminate', 'Skipped');
    expect(skipped.message).toContain('policy');
  });
});

describe('dismissing an incident', () => {
  it('ends it and its quarantine, and the same alarm does not come again', async () => {
    const { metadata } = await mineIn(scene, pod);
    const name = metadata.name as string;
    await stepIn(name, 'wayIn', 'Done');
    const spec = { dismissed: 'a benchmark of our own' };
    await scene.as('breakGlass').patch(KIND.Incident, { name }, { spec });
    await eventually(
      async () => ((await incidentNamed(name))?.status?.phase === 'Dismissed' ? true : undefined),
      'dismissed',
    );
    await eventually(
      async () => ((await scene.cluster.list(KIND.Quarantine)).items.length === 0 ? true : undefined),
      'no quarantine',
    );
    const told = () =>
      incidentNamed(name).then((incident) => incident?.status?.timeline.map(({ message }) => message));
    await eventually(
      async () => ((await told())?.includes('carol dismissed the incident.') ? true : undefined),
      'who dismissed it',
    );
    expect(await told()).toContain('Dismissed: a benchmark of our own');
  });

  it('ends its quarantine although the API server refused that once', async () => {
    const { metadata } = await mineIn(scene, pod);
    const name = metadata.name as string;
    await stepIn(name, 'wayIn', 'Done');
    const real = MemoryCluster.prototype.delete;
    let refusals = 0;
    vi.spyOn(MemoryCluster.prototype, 'delete').mockImplementation(async function (
      this: MemoryCluster,
      ...args
    ) {
      if (args[0].kind === 'Quarantine' && refusals++ === 0)
        throw new KubesentryError('KUBE_UNREACHABLE', 'away');
      return real.apply(this, args);
    });
    await scene.as('breakGlass').patch(KIND.Incident, { name }, { spec: { dismissed: 'ours' } });
    await eventually(
      async () => ((await scene.cluster.list(KIND.Quarantine)).items.length === 0 ? true : undefined),
      'no quarantine',
    ).finally(() => vi.restoreAllMocks());
    expect(refusals).toBe(2);
  });
});

/** Another webhook of that cluster is dead and fails closed; answers how to lift that. */
async function forbidDeletingDaemonSets({ cluster }: Scene): Promise<() => Promise<void>> {
  const key = { name: 'dead' };
  const rule = { apiGroups: ['apps'], apiVersions: ['*'], resources: ['daemonsets'], operations: ['DELETE'] };
  await cluster.create(KIND.ValidatingWebhookConfiguration, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: key,
    webhooks: [
      {
        name: 'dead.example.com',
        failurePolicy: 'Fail',
        clientConfig: { url: 'https://127.0.0.1:1/' },
        rules: [rule],
      },
    ],
  });
  return () => cluster.delete(KIND.ValidatingWebhookConfiguration, key);
}
