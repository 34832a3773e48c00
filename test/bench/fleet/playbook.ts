import { createHash } from 'node:crypto';
import { BREAK_GLASS_GROUP } from '../../../api/names.ts';
import { PLAYBOOK, type PlaybookStep, type StepStatus } from '../../../api/playbook.ts';
import { approve } from '../../../cli/plugin/approve.ts';
import { runWithoutTerminal } from '../../../cli/plugin/without-terminal.ts';
import type { HttpCluster } from '../../../kube/http/cluster.ts';
import { connectCluster } from '../../../kube/http/connect.ts';
import { KIND } from '../../../kube/kind.ts';
import { eventually } from '../../cluster/eventually.ts';
import type { LightAgent } from './agents.ts';
import { detectionIn } from './burst.ts';
import { makeNamespace } from './population.ts';
import type { Rig } from './rig.ts';

/** Milliseconds of each step: see METHOD in response.ts for from when to when. */
export type PlaybookSample = Record<PlaybookStep, number>;

/** No kubelet will ever say that a pod has ended: without a grace period the API server does not ask one. */
export async function allowNoGrace(admin: HttpCluster): Promise<void> {
  await admin.create(KIND.SentryPolicy, {
    apiVersion: 'kubesentry.io/v1alpha1',
    kind: 'SentryPolicy',
    metadata: { name: 'bench', namespace: 'kubesentry-system' },
    spec: { response: { gracePeriodSeconds: 0 } },
  });
}

/** A DaemonSet of the real controller mines on one node; a human approves at once what waits for one. */
export async function playBook(rig: Rig, agent: LightAgent, namespace: string): Promise<PlaybookSample> {
  const { admin } = rig;
  await makeNamespace(admin, namespace);
  await admin.create(KIND.DaemonSet, daemonSet(namespace, agent.node));
  const pod = await eventually('pod of the DaemonSet', async () => {
    const { items } = await admin.list(KIND.Pod, { namespace, fieldSelector: `spec.nodeName=${agent.node}` });
    return items[0];
  });
  const { name: podName = '', uid = '' } = pod.metadata;
  const id = createHash('sha256').update(uid).digest('hex').slice(0, 32);
  // The webhook's watch has to know the pod before it is sure whose it is.
  await agent.report([]);
  await agent.report([detectionIn({ namespace, name: podName, uid, node: agent.node }, id)]);
  const acknowledged = Date.now();
  const incident = await eventually('incident', async () =>
    (await admin.list(KIND.Incident)).items.find(({ spec }) => spec.namespace === namespace),
  );
  const name = incident.metadata.name ?? '';
  const done = (step: PlaybookStep): Promise<StepStatus> =>
    eventually(`${step} of ${name}`, async () => {
      const { steps } = (await admin.get(KIND.Incident, { name }))?.status ?? {};
      return steps?.find((each) => each.step === step && each.state === 'Done');
    });
  const looked = await Promise.all((['confirm', 'blastRadius', 'wayIn'] as const).map(done));
  const carol = await connectCluster({
    kubeconfig: rig.cluster.kubeconfig,
    as: 'carol',
    asGroups: [BREAK_GLASS_GROUP, 'system:masters'],
  });
  const approved = Date.now();
  await runWithoutTerminal(approve, carol, [name, 'terminate', 'revoke']);
  await carol.close();
  const acted = await Promise.all((['terminate', 'revoke', 'report'] as const).map(done));
  const at = new Map([...looked, ...acted].map(({ step, time }) => [step, Date.parse(time)]));
  const since: Record<PlaybookStep, number> = {
    confirm: acknowledged,
    blastRadius: acknowledged,
    wayIn: acknowledged,
    terminate: approved,
    revoke: at.get('terminate') ?? 0,
    report: at.get('revoke') ?? 0,
  };
  return Object.fromEntries(
    PLAYBOOK.map((step) => [step, (at.get(step) ?? 0) - since[step]]),
  ) as PlaybookSample;
}

function daemonSet(namespace: string, node: string) {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { namespace, name: 'metrics' },
    spec: {
      selector: { matchLabels: { app: 'metrics' } },
      template: {
        metadata: { labels: { app: 'metrics' } },
        spec: {
          nodeSelector: { name: node },
          tolerations: [{ operator: 'Exists' }],
          containers: [
            { name: 'main', image: 'registry.example.com/metrics:1', command: ['collect', namespace] },
          ],
        },
      },
    },
  };
}
