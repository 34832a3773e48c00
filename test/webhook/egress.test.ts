import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { API_VERSION } from '../../api/names.ts';
import type { NodeState } from '../../api/node-state.ts';
import { KIND } from '../../kube/kind.ts';
import { agentToken, eventually, openScene, podOf, post, type Scene } from './harness.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await openScene();
  for (const [name, nodeName] of [
    ['a', 'node-1'],
    ['b', 'node-2'],
  ] as const) {
    const pod = podOf(name, 'shop');
    await scene.as('alice').create(KIND.Pod, { ...pod, spec: { ...(pod.spec as object), nodeName } });
  }
  await scene.as('breakGlass').create(KIND.Quarantine, {
    apiVersion: API_VERSION,
    kind: 'Quarantine',
    metadata: { name: 'drill' },
    spec: { namespace: 'shop', reason: 'A drill.', requestedBy: 'carol', bans: [] },
  });
});
afterEach(() => scene[Symbol.asyncDispose]());

const NOTHING: NodeState = {
  version: '1',
  abilities: [],
  egressCut: [],
  egressOpen: [],
  lost: {},
  habits: [],
};

async function tell(node: string, state: Partial<NodeState>): Promise<void> {
  const headers = { authorization: `Bearer ${await agentToken(scene.cluster, node)}` };
  const report = { apiVersion: API_VERSION, kind: 'DetectionReport', node, detections: [] };
  const body = { ...report, state: { ...NOTHING, ...state } };
  expect((await post(scene.webhook, '/v1/detections', body, { headers })).status).toBe(200);
}

/** Until the condition has that reason. */
const condition = (reason: string) =>
  eventually(async () => {
    const found = await scene.cluster.get(KIND.Quarantine, { name: 'drill' });
    const egress = found?.status?.conditions?.find(({ type }) => type === 'EgressCut');
    return egress?.reason === reason ? egress : undefined;
  }, reason);

describe('the condition EgressCut', () => {
  it('is unknown until the agents of all nodes with contained pods have spoken, and names the silent ones', async () => {
    expect(await condition('AgentsSilent')).toMatchObject({
      status: 'Unknown',
      message: expect.stringContaining('on node-1, node-2.'),
    });
    await tell('node-1', { egressCut: ['drill'] });
    await tell('node-2', { egressCut: ['drill'] });
    expect(await condition('CutInKernel')).toMatchObject({ status: 'True' });
    const found = await scene.cluster.get(KIND.Quarantine, { name: 'drill' });
    expect(found?.status?.egress).toEqual({ 'node-1': 'cut', 'node-2': 'cut' });
  });

  it('is false while one node can still send, and says which', async () => {
    await tell('node-1', { egressCut: ['drill'] });
    await tell('node-2', { egressOpen: ['drill'] });
    expect(await condition('StillOpen')).toMatchObject({
      status: 'False',
      message: expect.stringContaining('from node-2'),
    });
  });

  it('is true when nothing of it runs, and the word of a node that has none of its pods any more is forgotten', async () => {
    await tell('node-1', { egressCut: ['drill'] });
    for (const name of ['a', 'b']) await scene.as('breakGlass').delete(KIND.Pod, { name, namespace: 'shop' });
    expect(await condition('NothingRuns')).toMatchObject({ status: 'True' });
    await eventually(
      async () => (await scene.cluster.get(KIND.Quarantine, { name: 'drill' }))?.status?.egress,
      'the word of node-1',
    );
    await tell('node-1', {});
    await eventually(async () => {
      const found = await scene.cluster.get(KIND.Quarantine, { name: 'drill' });
      return Object.keys(found?.status?.egress ?? {}).length === 0 ? true : undefined;
    }, 'no word of node-1');
  });
});
