import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { commandOf, daemons, startDaemon, stopDaemon } from './daemon.ts';
import { eventually } from './eventually.ts';
import { FaultScene, type PodStatus } from './faults-scene.ts';
import { programsOf, stillInKernel } from './kernel-programs.ts';
import { losesNoReview } from './load.ts';
import { clusterTests } from './requirement.ts';
import { SHORT_LIVED, STAND_IN_IMAGE, shell, sleeper } from './stand-in.ts';

const MINUTE = 60_000;

/** Keeps one connection open and sends a few bytes over it ten times a second. */
const talker = (namespace: string, address: string, port: number) =>
  shell(namespace, 'talker', `while sleep 0.1; do echo entry; done | nc ${address} ${port}`);

const listener = (port: number) => `nc -ll -p ${port} -e sh -c 'cat >> /tmp/${port}'`;

describe.skipIf(clusterTests.skipWithNode)('with real pods', { timeout: 2 * MINUTE }, () => {
  let scene: FaultScene;
  /** Process that receives what the talkers of shop (port 1111) and billing (port 2222) say. */
  let sink: number;
  let address: string;

  beforeAll(async () => {
    scene = await FaultScene.open('faults-test');
  }, 3 * MINUTE);
  afterAll(() => scene?.close());

  const heard = (port: number) => scene.received(sink, `/tmp/${port}`);

  /** Resolves once shop's talker is silent while billing's is heard. */
  async function isCut(): Promise<void> {
    await eventually('silence of shop beside the voice of billing', async () => {
      const [shop, billing] = [heard(1111), heard(2222)];
      await eventually('voice of billing', () => heard(2222) > billing + 60);
      return heard(1111) === shop;
    });
  }

  test("the attacked pod's open connection falls silent, its neighbour's goes on", async () => {
    const both = `${listener(1111)} & ${listener(2222)}`;
    await scene.populate('outside', shell('outside', 'sink', both));
    const pod = await scene.pod('outside', 'sink');
    sink = scene.pidOf(pod) as number;
    address = pod.status.podIP as string;
    await scene.populate('shop', talker('shop', address, 1111), sleeper('shop', 'web'));
    await scene.populate('billing', talker('billing', address, 2222), sleeper('billing', 'ledger'));
    await eventually('voices of both', () => heard(1111) > 30 && heard(2222) > 30);

    await scene.attack('shop', 'web');
    await scene.contained('shop');
    await isCut();
  });

  test('an agent that is deleted leaves nothing in the kernel; the next one takes over and counts nothing twice', async () => {
    const [before] = await scene.incidents('shop');
    const [old] = (await scene.productPods('agent')) as [PodStatus];
    const programs = programsOf(scene.pidOf(old) as number);
    expect(programs.length).toBeGreaterThan(5);

    await scene.kubectl('delete', 'pod', '-n', SYSTEM_NAMESPACE, old.metadata.name);
    expect(stillInKernel(programs)).toEqual([]);

    // What the next agent finds running it has judged before it hears of anything new.
    await scene.populate('after-agent', sleeper('after-agent', 'web'));
    await scene.attack('after-agent', 'web');
    await scene.contained('after-agent');
    await isCut();
    const [silent, greet] = [heard(1111), `echo fresh | nc -w 1 ${address} 1111`];
    await scene.type('shop', 'web', greet);
    expect(heard(1111)).toBe(silent);
    await scene.type('billing', 'ledger', greet);
    await eventually('voice of billing at the other port', () => heard(1111) > silent);

    const [next] = (await scene.productPods('agent')) as [PodStatus];
    expect(next.metadata.uid).not.toBe(old.metadata.uid);
    const after = await scene.incidents('shop');
    expect(after).toHaveLength(1);
    expect(await scene.quarantines('shop')).toHaveLength(1);
    const counts = (incident = before) =>
      incident?.status?.detections.map(({ id, repeats }) => ({ id, repeats }));
    expect(counts(after[0])).toEqual(counts());
  });

  test('without any webhook the API server itself refuses, others deploy, and no detection is lost', async () => {
    const [labels, namespace] = ['-lapp.kubernetes.io/name=kubesentry-webhook', `-n${SYSTEM_NAMESPACE}`];
    const scale = (replicas: number) =>
      scene.kubectl('scale', namespace, 'deployment/kubesentry-webhook', `--replicas=${replicas}`);
    await scene.populate('nobody-listens', sleeper('nobody-listens', 'web'));
    const pids = (await scene.productPods('webhook')).map((pod) => scene.pidOf(pod));
    await scale(0);
    await scene.kubectl('delete', 'pod', namespace, labels, '--grace-period=0', '--force');
    await eventually('end of both', () => !pids.some((pid) => existsSync(`/proc/${pid}`)));
    expect(await scene.refusal(sleeper('shop', 'another'))).toMatch(
      /ValidatingAdmissionPolicy 'kubesentry-quarantine'.*is in quarantine/s,
    );
    expect(await scene.refusal(sleeper('billing', 'another'))).toBeUndefined();

    await scene.attack('nobody-listens', 'web');
    await eventually('detection on disk', () => readdirSync(scene.installation.spool)[0]);
    expect(await scene.incidents('nobody-listens')).toEqual([]);

    await scale(2);
    await scene.kubectl('rollout', 'status', namespace, 'deployment/kubesentry-webhook');
    const { status } = await scene.contained('nobody-listens');
    expect(status?.detections).toMatchObject([{ rule: 'miner-name', container: { pod: 'web' } }]);
    await eventually('empty spool', () => readdirSync(scene.installation.spool).length === 0);
  });

  test('a kubelet that restarts interrupts neither detection nor enforcement nor admission', async () => {
    await scene.populate('one', sleeper('one', 'web'));
    await scene.populate('two', sleeper('two', 'web'));
    const { folder, enter } = scene.cluster;
    const kubelet = daemons(folder).findLast(({ name }) => name === 'kubelet');
    if (!kubelet) throw new Error('There is no kubelet.');
    const command = commandOf(kubelet);
    await stopDaemon(kubelet);
    try {
      await scene.attack('one', 'web');
      await scene.contained('one');
      expect(await scene.refusal(sleeper('one', 'another'))).toContain('is in quarantine');
      await isCut();
    } finally {
      startDaemon(folder, 'kubelet', [...enter, ...command]);
    }
    await scene.populate('three', sleeper('three', 'web'));
    await scene.attack('two', 'web');
    await scene.contained('two');
    expect(await restarts()).toBe(0);
  });

  test('pods that live for 200 ms have their names in detections', async () => {
    const names = ['dawn', 'noon', 'dusk', 'night'];
    for (const name of names) await scene.kubectl('create', 'namespace', `short-${name}`);
    const list = names.map((name) => job(`short-${name}`, name));
    await Promise.all(
      list.map((each) =>
        scene.api.ask('POST', `/apis/batch/v1/namespaces/${each.metadata.namespace}/jobs`, each),
      ),
    );
    for (const name of names) {
      const { status } = await scene.contained(`short-${name}`);
      expect(status?.detections[0]?.container).toMatchObject({
        namespace: `short-${name}`,
        pod: expect.stringMatching(new RegExp(`^${name}-`)),
        workload: { kind: 'Job', name },
      });
    }
  });

  test('a rollout of the webhook under load loses no review', async () => {
    await losesNoReview(scene, 'load', rollOut);
  });

  test('a hundred pods come and go at once, and nothing of ours restarts', async () => {
    const before = await restarts();
    await scene.kubectl('create', 'namespace', 'crowd');
    const started = performance.now();
    const path = '/api/v1/namespaces/crowd/pods';
    const pods = Array.from({ length: 100 }, (_, index) => sleeper('crowd', `pod-${index}`));
    const answers = await Promise.all(pods.map((pod) => scene.api.ask('POST', path, pod)));
    expect(answers.map(({ status }) => status)).toEqual(pods.map(() => 201));
    await eventually('hundred running pods', async () => {
      const running = (await scene.pods('crowd')).filter(({ status }) => status.phase === 'Running');
      return running.length === 100;
    });
    await scene.api.ask('DELETE', path);
    await eventually('empty namespace', async () => (await scene.pods('crowd')).length === 0);
    const seconds = (performance.now() - started) / 1000;
    console.log(`100 pods in ${seconds.toFixed(1)} s; ${await memory()}`);
    expect(await restarts()).toBe(before);
    expect(await scene.incidents('crowd')).toEqual([]);
  });

  test('deleting the manifest during a quarantine takes everything away but a label that does nothing', async () => {
    expect(await scene.refusal(sleeper('shop', 'another'))).toContain('is in quarantine');
    const [agent] = (await scene.productPods('agent')) as [PodStatus];
    const programs = programsOf(scene.pidOf(agent) as number);
    await scene.kubectl('delete', '-f', scene.installation.manifest, '--timeout=60s');
    expect(stillInKernel(programs)).toEqual([]);
    const kinds = 'ns,crd,clusterrole,clusterrolebinding,validatingwebhookconfiguration';
    const policies = 'validatingadmissionpolicy,validatingadmissionpolicybinding';
    expect(await scene.kubectl('get', `${kinds},${policies}`, '-o', 'name')).not.toContain('kubesentry');
    await eventually(
      'end of enforcement',
      async () => (await scene.refusal(sleeper('shop', 'another'))) === undefined,
    );
    const silent = heard(1111);
    await eventually('voice of shop', () => heard(1111) > silent);
  });

  test('the label that was left is taken away by the next installation', async () => {
    const label = async () =>
      scene.kubectl(
        'get',
        'namespace',
        'shop',
        '-o',
        'jsonpath={.metadata.labels.kubesentry\\.io/quarantine}',
      );
    expect(await label()).toMatch(/^shop-web-/);
    // Otherwise the next agent would find the stand-in running, and rightly so.
    await scene.kubectl('delete', 'pod', '-n', 'shop', 'web');
    await scene.kubectl('apply', '--server-side', '-f', scene.installation.manifest);
    await eventually('namespace without the label', async () => (await label()) === '');
    expect(await scene.refusal(sleeper('shop', 'another'))).toBeUndefined();
  });

  /** Resolves when the new replicas serve and the old ones are gone. */
  async function rollOut(): Promise<void> {
    const old = (await scene.productPods('webhook')).map(({ metadata }) => metadata.uid);
    const deployment = ['-n', SYSTEM_NAMESPACE, 'deployment/kubesentry-webhook'];
    await scene.kubectl('rollout', 'restart', ...deployment);
    await scene.kubectl('rollout', 'status', ...deployment, '--timeout=60s');
    await eventually(
      'end of the old replicas',
      async () =>
        (await scene.productPods('webhook')).every(({ metadata }) => !old.includes(metadata.uid)) ||
        undefined,
    );
  }

  async function restarts(): Promise<number> {
    const pods = [...(await scene.productPods('agent')), ...(await scene.productPods('webhook'))];
    return pods.reduce((sum, { status }) => sum + (status.containerStatuses?.[0]?.restartCount ?? 0), 0);
  }

  async function memory(): Promise<string> {
    const pods = [...(await scene.productPods('agent')), ...(await scene.productPods('webhook'))];
    return pods
      .map((pod) => {
        const status = readFileSync(`/proc/${scene.pidOf(pod)}/status`, 'utf8');
        return `${pod.metadata.name} ${Math.round(Number(/VmRSS:\s*(\d+)/.exec(status)?.[1]) / 1024)} MiB`;
      })
      .join(', ');
  }
});

function job(namespace: string, name: string) {
  const containers = [{ name: 'main', image: STAND_IN_IMAGE, command: [...SHORT_LIVED, name] }];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { namespace, name },
    spec: { backoffLimit: 0, template: { spec: { restartPolicy: 'Never', containers } } },
  };
}
