import { beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '../../api/object.ts';
import type { StepStatus } from '../../api/playbook.ts';
import { KIND } from '../../kube/kind.ts';
import { eventually } from './eventually.ts';
import { must } from './install.ts';
import { mining, type ResponseScene } from './response-scene.ts';

/** A kind that others brought along. */
const TRAINING = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'trainings.ml.example.com' },
  spec: {
    group: 'ml.example.com',
    scope: 'Namespaced',
    names: { kind: 'Training', plural: 'trainings' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

/** A part of response.test.ts: what the step terminate does on real controllers. */
export function termination(opened: () => ResponseScene): void {
  let scene: ResponseScene;
  beforeAll(async () => {
    scene = opened();
    await apply(TRAINING);
    await must(scene.cluster, ['wait', '--for=condition=Established', '--timeout=15s', 'crd', '--all']);
  });

  const apply = (...objects: object[]) =>
    must(
      scene.cluster,
      ['apply', '-f', '-'],
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
    );

  async function namespace(name: string): Promise<void> {
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await eventually('account', () =>
      scene.admin.get(KIND.ServiceAccount, { namespace: name, name: 'default' }),
    );
  }

  const template = (...command: string[]) => ({
    metadata: { labels: { app: command.join('-') } },
    spec: {
      restartPolicy: 'Never',
      containers: [{ name: 'main', image: 'registry.example.com/app:1', command }],
    },
  });
  const pod = (namespace: string, name: string, more: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, ...more },
    spec: { ...template('work', namespace).spec, nodeName: 'n1' },
  });
  const terminated = async (namespace: string): Promise<StepStatus> => {
    const { status } = await scene.finished(namespace);
    return status?.steps?.find(({ step }) => step === 'terminate') as StepStatus;
  };
  const podsIn = async (namespace: string) => (await scene.admin.list(KIND.Pod, { namespace })).items;

  test('a CronJob whose Jobs run: CronJob, Jobs and pods go, and each is kept', async () => {
    await namespace('nightly');
    await apply({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { namespace: 'nightly', name: 'rotate' },
      spec: {
        schedule: '* * * * *',
        jobTemplate: { spec: { parallelism: 2, template: template('rotate', 'logs') } },
      },
    });
    // As its controller names what it starts every minute.
    const cronJob = await scene.admin.get(KIND.CronJob, { namespace: 'nightly', name: 'rotate' });
    await apply({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        namespace: 'nightly',
        name: 'rotate-29384756',
        ownerReferences: [
          {
            apiVersion: 'batch/v1',
            kind: 'CronJob',
            name: 'rotate',
            uid: cronJob?.metadata.uid,
            controller: true,
          },
        ],
      },
      spec: { parallelism: 2, template: template('rotate', 'logs') },
    });
    const running = await scene.podOnNode('nightly');
    await scene.report([mining(running)]);
    const step = await terminated('nightly');
    expect(step.evidence.join('\n')).toMatch(/deleted: CronJob nightly\/rotate \(uid/);
    expect(step.evidence.join('\n')).toMatch(/deleted: Job nightly\/rotate-29384756 \(uid/);
    expect(step.undo).toContain('CronJob\\.rotate');
    expect(await podsIn('nightly')).toEqual([]);
    expect(await must(scene.cluster, ['get', 'cronjobs,jobs', '-n', 'nightly', '-o', 'name'])).toBe('');
  });

  test('an owner of a kind that we have no right to: it is named, its pods go', async () => {
    await namespace('science');
    await apply({
      apiVersion: 'ml.example.com/v1',
      kind: 'Training',
      metadata: { namespace: 'science', name: 'llm' },
    });
    const stop = await keepAlive('science', 'llm');
    const [first] = await eventually(
      'pod',
      async () => ((await podsIn('science')).length > 0 && podsIn('science')) || undefined,
    );
    await scene.report([mining(first as KubeObject)]);
    const step = await terminated('science');
    await stop();
    expect(step.evidence.join('\n')).toMatch(
      /left to people: Training science\/llm.*trainings\.ml\.example\.com/,
    );
    expect(await podsIn('science')).toEqual([]);
  });

  test('an owner of a kind that we were given the right to: it goes first', async () => {
    await apply({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'trainings', labels: { 'kubesentry.io/aggregate-to-webhook': 'true' } },
      rules: [{ apiGroups: ['ml.example.com'], resources: ['trainings'], verbs: ['get', 'delete'] }],
    });
    await eventually('right', async () => {
      const [user, what] = [
        'system:serviceaccount:kubesentry-system:kubesentry-webhook',
        'trainings.ml.example.com',
      ];
      const { stdout } = await scene.cluster.kubectl([
        'auth',
        'can-i',
        'delete',
        what,
        '-n',
        'lab',
        '--as',
        user,
      ]);
      return stdout.startsWith('yes');
    });
    await namespace('lab');
    await apply({
      apiVersion: 'ml.example.com/v1',
      kind: 'Training',
      metadata: { namespace: 'lab', name: 'llm' },
    });
    const stop = await keepAlive('lab', 'llm');
    const [first] = await eventually(
      'pod',
      async () => ((await podsIn('lab')).length > 0 && podsIn('lab')) || undefined,
    );
    await scene.report([mining(first as KubeObject)]);
    const step = await terminated('lab');
    await stop();
    expect(step.evidence[0]).toMatch(/deleted: Training lab\/llm \(uid/);
    expect(await must(scene.cluster, ['get', 'trainings', '-n', 'lab', '-o', 'name'])).toBe('');
    expect(await podsIn('lab')).toEqual([]);
  });

  test('a pod that claims an owner of a kind that cannot be, longer than an Incident has room for: contained', async () => {
    await namespace('claims');
    const nobody = {
      apiVersion: 'x.example.com/v1',
      kind: 'K'.repeat(300),
      name: 'x',
      uid: 'u',
      controller: true,
    };
    const created = await scene.admin.create(
      KIND.Pod,
      pod('claims', 'worker', { ownerReferences: [nobody] }),
    );
    await scene.report([mining(created)]);
    const step = await terminated('claims');
    expect(step.evidence.join('\n')).toMatch(/deleted: Pod claims\/worker \(uid/);
    expect(await podsIn('claims')).toEqual([]);
  });

  test('a Job that is named as if an innocent CronJob had made it: the CronJob stays', async () => {
    await namespace('framed');
    await apply({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { namespace: 'framed', name: 'backup' },
      spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: { template: template('save') } } },
    });
    await apply({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { namespace: 'framed', name: 'backup-29384756' },
      spec: { template: template('mine', 'framed') },
    });
    await scene.report([mining(await scene.podOnNode('framed'))]);
    const step = await terminated('framed');
    expect(step.evidence[0]).toMatch(/^spared: CronJob framed\/backup: /);
    expect(step.evidence.join('\n')).toMatch(/deleted: Job framed\/backup-29384756 \(uid/);
    expect(await podsIn('framed')).toEqual([]);
    expect(await must(scene.cluster, ['get', 'cronjobs', '-n', 'framed', '-o', 'name'])).toContain('backup');
  });

  test('a bare pod that something outside of the cluster makes again: gone, kept, and refused from then on', async () => {
    await namespace('bare');
    const created = await scene.admin.create(KIND.Pod, pod('bare', 'worker'));
    const refusals: string[] = [];
    let over = false;
    const recreator = (async () => {
      while (!over) {
        await scene.admin.create(KIND.Pod, pod('bare', 'worker')).catch((error: Error) => {
          if (!error.message.includes('already exists')) refusals.push(error.message);
        });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    await scene.report([mining(created)]);
    const step = await terminated('bare');
    await eventually('refusals', () => refusals.length >= 3);
    over = true;
    await recreator;
    expect(step.evidence.join('\n')).toMatch(/deleted: Pod bare\/worker \(uid/);
    expect(step.undo).toContain('Pod\\.worker');
    expect(await podsIn('bare')).toEqual([]);
    expect(refusals.every((message) => message.includes('is in quarantine'))).toBe(true);
    // Under another name elsewhere it is the webhook that refuses, and counts.
    const elsewhere = () =>
      scene.admin.create(KIND.Pod, {
        ...pod('bare', 'other'),
        metadata: { namespace: 'default', name: 'other' },
      });
    for (let attempt = 0; attempt < 3; attempt++)
      await expect(elsewhere()).rejects.toThrow('running incident');
    const count = await eventually('count of denials', async () => {
      const { items } = await scene.admin.list(KIND.Denial, { namespace: 'default' });
      return items.find(({ status }) => (status?.count ?? 0) >= 3)?.status?.count;
    });
    expect(count).toBe(3);
  });

  /** The controller of a Training: as long as that exists, its pod does. Answers how to stop it. */
  async function keepAlive(namespace: string, name: string): Promise<() => Promise<void>> {
    const kind = { apiVersion: 'ml.example.com/v1', kind: 'Training', plural: 'trainings', namespaced: true };
    let over = false;
    const loop = (async () => {
      for (let round = 0; !over; round++) {
        const owner = await scene.admin.get(kind, { namespace, name });
        const { uid } = owner?.metadata ?? {};
        if (uid !== undefined && (await podsIn(namespace)).length === 0) {
          const ownerReferences = [
            { apiVersion: kind.apiVersion, kind: kind.kind, name, uid, controller: true },
          ];
          await scene.admin
            .create(KIND.Pod, pod(namespace, `${name}-${round}`, { ownerReferences }))
            .catch(() => {});
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    return async () => {
      over = true;
      await loop;
    };
  }
}
