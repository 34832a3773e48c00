import { afterAll, beforeAll, expect, test } from 'vitest';
import { BREAK_GLASS_GROUP, SYSTEM_NAMESPACE } from '../../api/names.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { quarantine } from '../../cli/plugin/quarantine.ts';
import { release } from '../../cli/plugin/release.ts';
import { runWithoutTerminal } from '../../cli/plugin/without-terminal.ts';
import type { HttpCluster } from '../../kube/http/cluster.ts';
import { connectCluster } from '../../kube/http/connect.ts';
import { KIND } from '../../kube/kind.ts';
import { podOf, workloadOf } from '../webhook/harness.ts';
import { eventually } from './eventually.ts';
import { daemonSet, type ResponseScene } from './response-scene.ts';

/** A part of response.test.ts: what the cluster lives on, contained as a whole because people insist. */
export function protectedNamespaces(opened: () => ResponseScene): void {
  let scene: ResponseScene;
  let carol: HttpCluster;
  beforeAll(async () => {
    scene = opened();
    const asGroups = [BREAK_GLASS_GROUP, 'system:masters'];
    carol = await connectCluster({ kubeconfig: scene.cluster.kubeconfig, as: 'carol', asGroups });
  });
  afterAll(() => carol?.close());

  const contain = (namespace: string, more: { flags?: string[] } = {}) =>
    runWithoutTerminal(quarantine, carol, [namespace], { options: { reason: 'A drill.' }, ...more });
  const refusal = (act: Promise<unknown>) =>
    act.then(
      () => 'it was admitted',
      (error: Error) => error.message,
    );
  const podIn = (namespace: string) =>
    eventually(`pod in ${namespace}`, async () => {
      const { items } = await scene.admin.list(KIND.Pod, { namespace, labelSelector: 'app=healer' });
      return items.find(({ metadata }) => metadata.deletionTimestamp === undefined);
    });
  /** No kubelet is there to end it. */
  async function isBroughtBack(namespace: string): Promise<void> {
    const { metadata } = await podIn(namespace);
    await scene.admin.delete(KIND.Pod, { namespace, name: metadata.name ?? '' }, { gracePeriodSeconds: 0 });
    await eventually('another pod', async () => (await podIn(namespace)).metadata.uid !== metadata.uid);
  }

  test.each(['kube-system', SYSTEM_NAMESPACE])(
    '%s: not without insisting; then people are refused, and the cluster goes on, also without any webhook',
    async (namespace) => {
      await expect(contain(namespace)).rejects.toThrow(`The cluster lives on ${namespace}`);
      await scene.admin.create(KIND.DaemonSet, daemonSet(namespace, 'healer', ['heal', namespace]));
      await podIn(namespace);

      await contain(namespace, { flags: ['even-if-protected'] });
      const name = `manual-${namespace}`;
      const { spec, status } = (await scene.admin.get(KIND.Quarantine, { name })) as Quarantine;
      expect(spec).toMatchObject({ requestedBy: 'carol', reason: 'A drill.', evenIfProtected: true });
      expect(status?.conditions?.map(({ type, status: is, reason }) => `${type}=${is} ${reason}`)).toEqual([
        'BansInForce=True Denied',
        'EgressCut=False Protected',
        'HeldByApiServer=True PolicyInForce',
        'NamespaceLabeled=True Labeled',
      ]);

      // Of the API server's own policy, or of the webhook while the label is new to the API server.
      const said = new RegExp(`namespace ${namespace} is in quarantine\\s+${name}`, 'i');
      const dryRun = { dryRun: true };
      const aPod = () => refusal(scene.admin.create(KIND.Pod, podOf('new', namespace), dryRun));
      // About our own namespace the webhook is not asked: until the API server's policy sees the label, nobody is.
      await eventually('word of the API server', async () => said.test(await aPod()));

      const isHeld = async () => {
        expect(await aPod()).toMatch(said);
        const deployment = workloadOf('Deployment', 'new', namespace);
        expect(await refusal(scene.admin.create(KIND.Deployment, deployment, dryRun))).toMatch(said);
        const account = { namespace, name: 'default' };
        const options = { audience: 'https://kubernetes.default.svc', expirationSeconds: 600 };
        expect(await refusal(scene.admin.createToken(account, options))).toMatch(said);
        await isBroughtBack(namespace);
      };
      await isHeld();
      const { items: policies } = await scene.admin.list(KIND.NetworkPolicy, { namespace });
      expect(policies).toEqual([]);

      const names = scene.replicas.map((replica) => replica.name);
      await Promise.all(scene.replicas.map((replica) => replica.end()));
      await isHeld();
      await Promise.all(names.map((each) => scene.startReplica(each)));

      await runWithoutTerminal(release, carol, [name]);
      await scene.admin.delete(KIND.DaemonSet, { namespace, name: 'healer' });
      await eventually('release', async () => (await aPod()) === 'it was admitted');
    },
  );
}
