import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SYSTEM_NAMESPACE } from '../../api/names.ts';
import { approve } from '../../cli/plugin/approve.ts';
import { dismiss } from '../../cli/plugin/dismiss.ts';
import { incidents } from '../../cli/plugin/incidents.ts';
import type { Session } from '../../cli/plugin/options.ts';
import { quarantine } from '../../cli/plugin/quarantine.ts';
import { release } from '../../cli/plugin/release.ts';
import { report } from '../../cli/plugin/report.ts';
import { status } from '../../cli/plugin/status.ts';
import { runWithoutTerminal } from '../../cli/plugin/without-terminal.ts';
import { KIND } from '../../kube/kind.ts';
import { mineIn, runDaemonSet } from '../webhook/attack.ts';
import { eventually, openScene, podOf, refusal, type Scene, workloadOf } from '../webhook/harness.ts';

let scene: Scene;
let stop: () => Promise<void>;
let name: string;
beforeAll(async () => {
  scene = await openScene();
  const { pod, controller } = await runDaemonSet(scene);
  stop = () => controller.stop();
  name = (await mineIn(scene, pod)).metadata.name as string;
});
afterAll(async () => {
  await stop();
  await scene[Symbol.asyncDispose]();
});

const run = (
  command: (session: Session) => Promise<void>,
  positionals: string[],
  options: Record<string, string> = {},
  who: 'alice' | 'breakGlass' = 'breakGlass',
) => runWithoutTerminal(command, scene.as(who), positionals, { options });

describe('what people decide', () => {
  it('approve goes through while the response is writing, and the step is done', async () => {
    expect((await run(approve, [name, 'terminate'])).text).toContain('terminate of');
    await eventually(async () => {
      const incident = await scene.cluster.get(KIND.Incident, { name });
      return incident?.status?.steps?.find(({ step, state }) => step === 'terminate' && state === 'Done');
    }, 'terminated');
    await eventually(async () => {
      const incident = await scene.cluster.get(KIND.Incident, { name });
      return incident?.status?.timeline.find(
        ({ message }) => message === 'carol approved the step terminate.',
      );
    }, 'who approved it');
  });

  it('incidents tells how far each step is', async () => {
    const { text } = await run(incidents, [name]);
    expect(text).toMatch(/^terminate +Done +DaemonSet shop\/collector and its pods are gone\.$/m);
    expect(text).toMatch(/^revoke +AwaitingApproval +To do: kubectl kubesentry approve/m);
  });

  it('approve names the steps that there are', async () => {
    await expect(run(approve, [name, 'terminat'])).rejects.toThrow('There is no step "terminat"');
    await expect(run(approve, ['none', 'terminate'])).rejects.toThrow('There is no incident "none"');
    expect(await refusal(run(approve, [name, 'revoke'], {}, 'alice'))).toContain('break-glass');
  });

  it('report tells what was done', async () => {
    const { text } = await run(report, [name]);
    expect(text).toContain('### terminate: Done');
    expect(text).toContain('To undo:');
    await expect(run(report, [name], { output: 'pdf' })).rejects.toThrow('no format "pdf"');
  });

  it('quarantine contains by hand until release', async () => {
    await expect(run(quarantine, ['billing'])).rejects.toThrow('--reason');
    await expect(run(quarantine, ['kube-system'], { reason: 'x' })).rejects.toThrow('name a workload');
    await expect(run(quarantine, ['billing'], { reason: 'x', expires: 'soon' })).rejects.toThrow('30m');
    await expect(run(quarantine, ['nowhere'], { reason: 'x' })).rejects.toThrow('no namespace');
    const { text } = await run(quarantine, ['billing'], { reason: 'a drill', expires: '4h' });
    expect(text).toContain('release manual-billing');
    expect(await refusal(scene.as('alice').create(KIND.Pod, podOf('x', 'billing')))).toContain('a drill');
    await expect(run(quarantine, ['billing'], { reason: 'again' })).rejects.toThrow('in force already');
    await run(release, ['manual-billing']);
    await scene.as('alice').create(KIND.Pod, podOf('x', 'billing'));
  });

  it('quarantine contains workloads of one name apart', async () => {
    for (const [kind, of] of [
      [KIND.Deployment, 'Deployment'],
      [KIND.StatefulSet, 'StatefulSet'],
    ] as const) {
      await scene.as('alice').create(kind, workloadOf(of, 'ledger', 'billing'));
    }
    const contain = (target: string) => run(quarantine, ['billing', target], { reason: 'a drill' });
    const first = await contain('Deployment/ledger');
    const second = await contain('StatefulSet/ledger');
    expect(first).toMatchObject({ warnings: '', text: expect.stringContaining('Deployment billing/ledger') });
    expect(second.text).toContain('StatefulSet billing/ledger is contained.');
    await expect(contain('Deployment/ledger')).rejects.toThrow('is in force already');
    const all = (await scene.cluster.list(KIND.Quarantine)).items;
    const items = all.filter(({ spec }) => spec.namespace === 'billing');
    expect(items.map(({ spec }) => spec.workload?.kind).sort()).toEqual(['Deployment', 'StatefulSet']);
    for (const { metadata } of items) {
      expect(metadata.name).toMatch(/^manual-billing-ledger-[0-9a-f]{6}$/);
      await run(release, [metadata.name as string]);
    }
  });

  it('quarantine refuses a workload that there is not, instead of containing its name', async () => {
    const contain = (target: string) => run(quarantine, ['billing', target], { reason: 'a drill' });
    await expect(contain('Deployment/typo')).rejects.toMatchObject({
      code: 'KUBE_NOT_FOUND',
      message:
        'There is no Deployment billing/typo: nothing was contained. What there is: kubectl -n billing get all',
    });
    await expect(contain('Deploymnet/ledger')).rejects.toThrow('Kubernetes itself has no such kind');
    const all = (await scene.cluster.list(KIND.Quarantine)).items;
    expect(all.filter(({ spec }) => spec.namespace === 'billing')).toEqual([]);
  });

  it('quarantine refuses a pod that has an owner, and names the owner, by which its pods are contained', async () => {
    const { metadata, ...pod } = podOf('ledger-5d4f-x2j', 'billing');
    const owner = { apiVersion: 'apps/v1', name: 'ledger-5d4f', uid: 'u', controller: true };
    const labels = { 'pod-template-hash': '5d4f' };
    await scene.cluster.create(KIND.Pod, {
      ...pod,
      metadata: { ...metadata, labels, ownerReferences: [{ ...owner, kind: 'ReplicaSet' }] },
    });
    await expect(run(quarantine, ['billing', 'Pod/ledger-5d4f-x2j'], { reason: 'a drill' })).rejects.toThrow(
      'belongs to Deployment ledger: contain Deployment/ledger',
    );
  });

  it('quarantine knows workloads of kinds that others brought along by their pods', async () => {
    const { metadata, ...pod } = podOf('render-1', 'billing');
    const owner = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Workflow', name: 'render', uid: 'w' };
    await scene.cluster.create(KIND.Pod, {
      ...pod,
      metadata: { ...metadata, ownerReferences: [{ ...owner, controller: true }] },
    });
    const { text } = await run(quarantine, ['billing', 'Workflow/render'], { reason: 'a drill' });
    expect(text).toContain('Workflow billing/render is contained.');
    await run(release, [/release (\S+)/.exec(text)?.[1] as string]);
  });

  it('dismiss asks for a reason, and ends it', async () => {
    await expect(run(dismiss, [name])).rejects.toThrow('--reason');
    await run(dismiss, [name], { reason: 'our own benchmark' });
    await eventually(async () => {
      const incident = await scene.cluster.get(KIND.Incident, { name });
      return incident?.status?.phase === 'Dismissed' ? true : undefined;
    }, 'dismissed');
    expect((await scene.cluster.list(KIND.Quarantine)).items).toEqual([]);
    await expect(run(approve, [name, 'revoke'])).rejects.toThrow(`Incident ${name} is Dismissed: nothing`);
  });
});

describe('status', () => {
  it('names what is wrong, and exits 1', async () => {
    const { text, exit } = await run(status, []);
    expect(exit).toBe(1);
    expect(text).toMatch(/^PART +STATE +DETAIL\n/);
    expect(text).toMatch(/agents +WRONG +there is no DaemonSet kubesentry-system\/kubesentry-agent/);
    expect(text).toMatch(/webhook configuration +ok +8 entries/);
    expect(text).toMatch(/leader +ok/);
  });

  it('says that a policy elsewhere does not count', async () => {
    const policy = (namespace: string) => ({
      apiVersion: 'kubesentry.io/v1alpha1' as const,
      kind: 'SentryPolicy' as const,
      metadata: { name: 'mine', namespace },
      spec: {},
    });
    await scene.cluster.create(KIND.SentryPolicy, policy('shop'));
    const { text } = await run(status, []);
    expect(text).toMatch(new RegExp(`policies +WRONG +shop/mine: only those in ${SYSTEM_NAMESPACE} count`));
  });
});
