import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Facts } from '../../webhook/admission/gate.ts';
import { Policy } from '../../webhook/admission/policy.ts';
import { DEADLINE_MS, Reviewer } from '../../webhook/admission/reviewer.ts';
import { Metrics } from '../../webhook/metrics.ts';
import { PodIndex } from '../../webhook/pod-index.ts';
import { benignCases } from '../corpus/benign.ts';
import { writtenCases } from '../corpus/corpus.ts';
import { maliciousCases } from '../corpus/malicious.ts';
import { indicators, log, review } from '../webhook/harness.ts';
import { change, changeObject, changeText } from './mutate.ts';
import { runs, TIMEOUT } from './runs.ts';

const facts: Facts = {
  now: new Date('2026-06-01T00:00:00Z'),
  indicators,
  policy: new Policy([]),
  quarantinesOf: () => [],
  hasBans: false,
  banOf: () => undefined,
  namespaceLabels: () => ({}),
  podNamed: () => undefined,
};
const reviewer = new Reviewer({
  view: { facts: () => facts, pods: new PodIndex() },
  recorder: { record: () => {} },
  metrics: new Metrics(),
  log,
  clock: () => facts.now,
  onOverrule: () => {},
});

const objects = [
  ...maliciousCases(),
  ...benignCases(),
  ...writtenCases('malicious'),
  ...writtenCases('benign'),
].map(({ object }) => object);
const sample = fc.nat(objects.length - 1).map((at) => objects[at] as never);
const changes = fc.array(change, { minLength: 1, maxLength: 4 });

/** Of the processor, so that a busy machine changes nothing. */
function judged(body: string) {
  const before = process.cpuUsage();
  const answer = reviewer.review({ bytes: Buffer.from(body), end: 'complete' }, performance.now());
  const { user, system } = process.cpuUsage(before);
  return { answer, milliseconds: (user + system) / 1000 };
}

function expectAnswer(body: string, uid: string): void {
  const { answer, milliseconds } = judged(body);
  expect(answer).toMatchObject({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' });
  expect(answer.response.uid).toBe(uid);
  expect(typeof answer.response.allowed).toBe('boolean');
  expect(answer.response.status?.code ?? 0).not.toBe(500);
  if (!answer.response.allowed) expect(answer.response.status?.message).not.toBe('');
  expect(milliseconds).toBeLessThan(DEADLINE_MS);
}

test(
  'a manifest with one text changed is answered with its uid, within the deadline',
  () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        sample,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        changes,
        (uid, object, which, list) => {
          const changed = changeObject(object, which, list) as never;
          expectAnswer(JSON.stringify(review(undefined, { object: changed, uid, name: 'x' })), uid);
        },
      ),
      { numRuns: runs(0.4) },
    );
  },
  TIMEOUT,
);

test(
  'an update between two manifests is answered too',
  () => {
    fc.assert(
      fc.property(fc.uuid(), sample, sample, changes, (uid, oldObject, object, list) => {
        const changed = changeObject(object, 0.5, list) as never;
        expectAnswer(
          JSON.stringify(
            review(undefined, { object: changed, oldObject, operation: 'UPDATE', uid, name: 'x' }),
          ),
          uid,
        );
      }),
      { numRuns: runs(0.1) },
    );
  },
  TIMEOUT,
);

test(
  'a body with its bytes changed is answered, or refused as what cannot be read',
  () => {
    fc.assert(
      fc.property(fc.uuid(), sample, changes, (uid, object, list) => {
        const body = list.reduce(changeText, JSON.stringify(review(undefined, { object, uid, name: 'x' })));
        try {
          const { answer } = judged(body);
          expect(typeof answer.response.uid).toBe('string');
          expect(answer.response.status?.code ?? 0).not.toBe(500);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^BODY_/) });
        }
      }),
      { numRuns: runs(0.1) },
    );
  },
  TIMEOUT,
);
