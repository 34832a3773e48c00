import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../api/object.ts';
import { KIND } from '../../kube/kind.ts';
import { detectionIn } from './detections.ts';
import { agentToken, openScene, podOf, post, type Scene } from './harness.ts';

/** What every version of the agent sends about a detection; later ones may add to it. */
const DETECTION = [
  'id',
  'time',
  'rule',
  'severity',
  'confidence',
  'action',
  'process',
  'container',
  'evidence',
  'repeats',
];

describe('an agent of another version', () => {
  let scene: Scene;
  let pod: KubeObject;
  beforeEach(async () => {
    scene = await openScene();
    pod = await scene.as('alice').create(KIND.Pod, {
      ...podOf('web', 'shop'),
      spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'registry.example.com/web:1' }] },
    });
  });
  afterEach(() => scene[Symbol.asyncDispose]());

  async function send(report: object) {
    const headers = { authorization: `Bearer ${await agentToken(scene.cluster, 'node-1')}` };
    return post(scene.webhook, '/v1/detections', report, { headers });
  }
  const envelope = { apiVersion: 'kubesentry.io/v1alpha1', kind: 'DetectionReport', node: 'node-1' };
  const incidents = async () => (await scene.cluster.list(KIND.Incident)).items;

  test('that is older may leave out what came later', async () => {
    const detection = detectionIn(pod);
    expect(Object.keys(detection)).toEqual(DETECTION);
    const { status, json } = await send({ ...envelope, detections: [detection] });
    expect({ status, acknowledged: json.acknowledged }).toEqual({
      status: 200,
      acknowledged: [detection.id],
    });
    expect(await incidents()).toHaveLength(1);
  });

  test('that is newer may say more, and name a rule that the webhook does not know', async () => {
    const { process, container, evidence, ...rest } = detectionIn(pod, { rule: 'of-tomorrow' });
    const detection = {
      ...rest,
      process: { ...process, namespaces: [4026531836] },
      container: { ...container, runtime: 'other' },
      evidence: { ...evidence, spectrum: { lines: [1, 2, 3] } },
      trace: 'new',
    };
    const { status, json } = await send({ ...envelope, version: '9.9.9', detections: [detection] });
    expect({ status, acknowledged: json.acknowledged }).toEqual({
      status: 200,
      acknowledged: [detection.id],
    });
    const [incident] = await incidents();
    expect(incident?.status?.detections).toMatchObject([{ rule: 'of-tomorrow' }]);
  });
});
