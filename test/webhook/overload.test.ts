import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Facts } from '../../webhook/admission/gate.ts';
import { Policy } from '../../webhook/admission/policy.ts';
import { DEADLINE_MS, Reviewer } from '../../webhook/admission/reviewer.ts';
import { BodyBudget, readBody } from '../../webhook/body.ts';
import { Metrics } from '../../webhook/metrics.ts';
import { PodIndex } from '../../webhook/pod-index.ts';
import { indicators, log, podOf, review } from './harness.ts';

const bodyOf = (object: object) => ({ bytes: Buffer.from(JSON.stringify(object)), end: 'complete' as const });

function reviewer(
  facts: () => Facts = () => {
    throw new Error('must not be asked');
  },
) {
  return new Reviewer({
    view: { facts, pods: new PodIndex() },
    recorder: { record: () => {} },
    metrics: new Metrics(),
    log,
    clock: () => new Date(),
    onOverrule: () => {},
  });
}

describe('a review that waited too long', () => {
  const late = performance.now() - 2_000;

  it('is refused with 429: letting it pass would make a flood a way in', () => {
    const { response } = reviewer().review(bodyOf(review(podOf('x', 'shop'))), late);
    expect(response).toMatchObject({ allowed: false, status: { code: 429, reason: 'TooManyRequests' } });
    expect(response.status?.message).toContain('Try again');
  });

  it('passes where the cluster lives', () => {
    const { response } = reviewer().review(bodyOf(review(podOf('x', 'kube-system'))), late);
    expect(response.allowed).toBe(true);
  });
});

describe('a mistake of ours', () => {
  it('refuses, with an answer and not an error that the failurePolicy decides on', () => {
    const { response } = reviewer().review(bodyOf(review(podOf('x', 'shop'))), performance.now());
    expect(response).toMatchObject({ allowed: false, status: { code: 500, reason: 'InternalError' } });
    expect(response.status?.message).not.toContain('must not be asked');
  });
});

describe('variables that name each other', () => {
  it('do not grow without end', () => {
    const env = Array.from({ length: 2000 }, (_, index) => ({
      name: `E${index}`,
      value: index === 0 ? 'laugh' : `$(E${index - 1})$(E${index - 1})`,
    }));
    const pod = podOf('bomb', 'shop', { env, args: ['$(E1999)'.repeat(1000)] });
    const facts = () => ({
      now: new Date(),
      indicators,
      policy: new Policy([]),
      quarantinesOf: () => [],
      hasBans: false,
      banOf: () => undefined,
      namespaceLabels: () => undefined,
      podNamed: () => undefined,
    });
    const started = performance.now();
    const { response } = reviewer(facts).review(bodyOf(review(pod)), started);
    expect(response.status?.code).not.toBe(500);
    expect(performance.now() - started).toBeLessThan(DEADLINE_MS);
  });
});

describe('bodies', () => {
  it('together hold no more than their budget; one that is too much is answered by its beginning', async () => {
    const budget = new BodyBudget(1000);
    const [waiting, other] = [new PassThrough(), new PassThrough()];
    const first = readBody(waiting, 2000, budget);
    const second = readBody(other, 2000, budget);
    waiting.write('a'.repeat(900));
    other.write('b'.repeat(200));
    expect(await second).toMatchObject({ end: 'overloaded', bytes: Buffer.from('b'.repeat(200)) });
    waiting.end();
    expect((await first).end).toBe('complete');
    const third = new PassThrough();
    const later = readBody(third, 2000, budget);
    third.end('c'.repeat(1000));
    expect((await later).end).toBe('complete');
  });

  it('that end in the middle free what they held', async () => {
    const budget = new BodyBudget(100);
    const stream = new PassThrough();
    const body = readBody(stream, 200, budget);
    stream.write('x'.repeat(100));
    await new Promise(setImmediate);
    stream.destroy();
    await expect(body).rejects.toThrow('closed the connection');
    expect(budget.take(100)).toBe(true);
  });
});
