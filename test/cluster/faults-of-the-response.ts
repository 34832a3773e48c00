import { describe, expect, test } from 'vitest';
import { crashAt, doneTwice } from './crash.ts';
import { mining, type ResponseScene } from './response-scene.ts';
import { burst, interference, outage } from './storms.ts';

const MINUTE = 60_000;

/** A part of response.test.ts; `npm run bench -- faults` goes through every write of a response and does more of the rest. */
export function faultsOfTheResponse(scene: () => ResponseScene): void {
  // From the first two on the clocks of the replicas are a minute off, in both directions.
  test.each([
    ['the owner is deleted (terminate)', MINUTE],
    ['the account is deleted (revoke)', -MINUTE],
  ] as const)(
    'kill -9 of the leader right after %s: the other one finishes, nothing is done twice',
    async (point, skewMs) => {
      const { took, problems } = await crashAt(scene(), point, { skewMs });
      expect(problems).toEqual([]);
      console.log(`killed after "${point}": the other replica had finished ${Math.round(took)} ms later`);
    },
  );

  describe('with clocks a minute off in both directions', () => {
    test('kill -9 of the leader right after the quarantine is created: the other one finishes', async () => {
      const { problems } = await crashAt(scene(), 'the quarantine is created', { skewMs: MINUTE });
      expect(problems).toEqual([]);
    });

    test('the API server gone in the middle of containment, its history compacted: all is finished when it is back', async () => {
      const took = await outage(scene(), 'outage', 1_000);
      expect(doneTwice(await scene().writesOfOurs(), 'outage')).toEqual([]);
      console.log(`API server back to the end of the playbook: ${Math.round(took)} ms`);
    });

    test('both replicas hear the same report at the same moment: one incident, one quarantine', async () => {
      const pod = await scene().populate('twice');
      const detection = mining(pod);
      const answers = await Promise.all(
        scene().replicas.map((replica) => scene().report([detection], replica)),
      );
      expect(answers).toEqual([[detection.id], [detection.id]]);
      const { status } = await scene().finished('twice');
      expect(status?.detections).toHaveLength(1);
      expect(doneTwice(await scene().writesOfOurs(), 'twice')).toEqual([]);
    });

    test('people edit Incident, Quarantine and NetworkPolicy meanwhile: the response gets through, their edits stay', async () => {
      const took = await interference(scene(), 'edited');
      expect(doneTwice(await scene().writesOfOurs(), 'edited')).toEqual([]);
      console.log(`report to the end of the playbook among edits: ${Math.round(took)} ms`);
    });

    test('a burst of 10,000 detections: all are told, and an attack among them is contained', async () => {
      const { took, denied } = await burst(scene(), 'burst', 10_000);
      console.log(
        `10,000 detections acknowledged in ${Math.round(took)} ms; attack meanwhile denied in ${Math.round(denied)} ms`,
      );
    });
  });
}
