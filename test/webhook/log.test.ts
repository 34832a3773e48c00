import { Writable } from 'node:stream';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { KIND } from '../../kube/kind.ts';
import { mineIn, runDaemonSet } from './attack.ts';
import { denialsIn, eventually, MINER, openScene, podOf, post, refusal, review } from './harness.ts';

it('follows a request and an incident by the ids that users see', async () => {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().trim().split('\n')) lines.push(JSON.parse(line));
      done();
    },
  });
  const scene = await openScene({ log: pino({ level: 'info', base: null }, stream) });
  const uid = '0d5c6b1e-0000-4000-8000-000000000001';
  await post(scene.webhook, '/validate', review(podOf('miner', 'billing', MINER), { uid }));
  await scene.webhook.denialsKept();
  const [denial] = await denialsIn(scene.cluster, 'billing');
  expect(lines.find((line) => line.review === uid)).toMatchObject({
    msg: 'admission',
    verdict: 'deny',
    denial: denial?.metadata.name,
    level: 30,
    time: expect.any(Number),
  });

  const { pod, controller } = await runDaemonSet(scene);
  const incident = (await mineIn(scene, pod)).metadata.name;
  await eventually(async () => {
    const { items } = await scene.cluster.list(KIND.Quarantine);
    return items.find(({ status }) => status?.phase === 'Active');
  }, 'the quarantine');
  await refusal(scene.as('alice').create(KIND.Pod, podOf('another', pod.metadata.namespace as string)));
  await eventually(
    () => lines.find((line) => line.msg === 'response' && line.incident === incident),
    'a step of the playbook in the log',
  );
  await controller.stop();
  await scene[Symbol.asyncDispose]();
  const about = lines.filter((line) => line.incident === incident).map(({ msg }) => msg);
  expect(about).toContain('admission');
  expect(about).toContain('response');
});
