import type { KubeObject } from '../../api/object.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { KIND } from '../../kube/kind.ts';
import { DaemonSetController } from '../../kube/memory/daemon-set-controller.ts';
import { detectionIn, report } from './detections.ts';
import { eventually, type Scene, workloadOf } from './harness.ts';

export const COLLECTOR = {
  command: ['sh', '-c', 'while true; do sleep 1; done'],
  image: 'registry.example.com/shop/collector:2',
};

/** An ordinary DaemonSet in `namespace`, and its running pod on node-1. */
export async function runDaemonSet(
  scene: Scene,
  namespace = 'shop',
): Promise<{ pod: KubeObject; controller: DaemonSetController }> {
  const controller = new DaemonSetController(scene.cluster, () => {});
  await scene.as('alice').create(KIND.DaemonSet, workloadOf('DaemonSet', 'collector', namespace, COLLECTOR));
  const pod = await eventually(
    async () =>
      (await scene.cluster.list(KIND.Pod, { namespace, fieldSelector: 'spec.nodeName=node-1' })).items[0],
    'the pod of the DaemonSet',
  );
  return { pod, controller };
}

/** Somebody mines in the pod; answers the Quarantine once it is active. */
export async function mineIn(scene: Scene, pod: KubeObject): Promise<Quarantine> {
  const { status, json } = await report(scene, 'node-1', [detectionIn(pod)]);
  if (status !== 200 || json.acknowledged.length !== 1) throw new Error(JSON.stringify(json));
  return activeQuarantine(scene);
}

export function activeQuarantine(scene: Scene): Promise<Quarantine> {
  return eventually(async () => {
    const { items } = await scene.cluster.list(KIND.Quarantine);
    return items.find(({ status }) => status?.phase === 'Active');
  }, 'an active quarantine');
}
