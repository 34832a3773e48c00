import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Detection } from '../../api/detection.ts';
import { HOST } from '../../runtime/containers.ts';
import { Correlator } from '../../runtime/correlator.ts';
import { finding, type Signal } from '../../runtime/signal.ts';
import { sampleContainer, sampleProcess } from './sample-process.ts';

function correlate(repeatInterval = 1000) {
  const lines: Detection[] = [];
  const correlator = new Correlator({
    node: 'n',
    processes: { ancestors: () => [] },
    describe: () => null,
    emit: (detection) => lines.push(detection),
    repeatInterval,
  });
  const latest = () => new Map(lines.map((line) => [line.id, line]));
  return { correlator, lines, latest };
}

const named = finding('miner-name', 'exe', 'It runs xmrig.');
const weak = finding('added-executable', 'exe', 'It was added.');
const temporary = finding('temporary-path', 'exe', 'It is in /tmp.');
const protocol = finding('pool-protocol', 'connection', 'It sent login.');

const signal = (changes: Partial<Signal> = {}): Signal => ({
  time: 1_000_000,
  process: sampleProcess(['xmrig']),
  findings: [named],
  action: 'none',
  evidence: {},
  ...changes,
});

describe('Correlator', () => {
  it('reports strong evidence at once', () => {
    const { correlator, lines } = correlate();
    correlator.add(signal());
    expect(lines).toMatchObject([{ rule: 'miner-name', severity: 'critical', confidence: 1, repeats: 0 }]);
  });

  it('adds later evidence to the same detection, which keeps its id and its time', () => {
    const { correlator, lines } = correlate();
    const process = sampleProcess(['worker']);
    correlator.add(signal({ process, findings: [finding('memory-executable', 'exe', 'In memory.')] }));
    correlator.add(signal({ process, findings: [protocol], action: 'dropped', time: 1_000_500 }));
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({
      id: lines[0]?.id,
      time: lines[0]?.time,
      rule: 'pool-protocol',
      action: 'dropped',
    });
    expect(lines[1]?.confidence).toBeGreaterThan(lines[0]?.confidence as number);
  });

  it('forgets a container that is gone, and tells first what it still had to tell', () => {
    const { correlator, lines } = correlate(60_000);
    const process = sampleProcess(['xmrig']);
    const gone = { id: 1, version: 2, path: process.container.cgroup } as const;
    correlator.add(signal({ process }));
    correlator.add(signal({ process, time: 1_000_001 }));
    correlator.forget(gone, false);
    expect(lines).toHaveLength(1);
    correlator.forget(gone, true);
    expect(lines.map(({ repeats }) => repeats)).toEqual([0, 1]);
    correlator.add(signal({ process, time: 1_070_000 }));
    expect(lines[2]).toMatchObject({ id: lines[0]?.id, repeats: 0 });
    expect(correlator.stats).toMatchObject({ detections: 2, forgotten: 0 });
  });

  it('forgets the container that was quiet longest when there are too many detections, and counts it', () => {
    const { correlator } = correlate();
    for (let number = 0; number < 100; number++) {
      for (let program = 0; program < 30; program++) {
        const container = sampleContainer(`/kubepods/pod${number}/c`);
        correlator.add(signal({ process: sampleProcess(['xmrig', `${program}`], { container }) }));
      }
    }
    expect(correlator.stats).toMatchObject({ detections: 3000, folded: 0 });
    expect(correlator.stats.forgotten).toBeGreaterThan(30);
    expect(correlator.stats.forgotten).toBeLessThan(40);
  });

  it('counts what it has seen before and says so at most once an interval', () => {
    const { correlator, lines } = correlate(1000);
    for (let count = 0; count < 50; count++) correlator.add(signal({ time: 1_000_000 + count }));
    expect(lines).toHaveLength(1);
    correlator.flush(1_000_500);
    expect(lines).toHaveLength(1);
    correlator.flush(1_001_100);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({ id: lines[0]?.id, repeats: 49 });
  });

  it('tells a hash that came late', () => {
    const { correlator, lines } = correlate();
    const process = sampleProcess(['xmrig']);
    correlator.add(signal({ process }));
    correlator.identify(process, 'ab'.repeat(32), 1_000_100);
    expect(lines.map((line) => line.process.sha256)).toEqual([null, 'ab'.repeat(32)]);
  });

  it('keeps weak evidence to itself until other evidence of the container keeps it company', () => {
    const { correlator, lines } = correlate();
    correlator.add(signal({ process: sampleProcess(['a']), findings: [weak] }));
    expect(lines).toHaveLength(0);
    correlator.add(signal({ process: sampleProcess(['b']), findings: [temporary] }));
    expect(lines).toMatchObject([{ confidence: 0.3, severity: 'low' }]);
  });

  it('does not let processes of the node, or of another container, keep each other company', () => {
    const { correlator, lines } = correlate();
    for (const container of [HOST, sampleContainer('/a'), sampleContainer('/b')]) {
      correlator.add(signal({ process: sampleProcess(['a'], { container }), findings: [weak] }));
    }
    correlator.add(signal({ process: sampleProcess(['b'], { container: HOST }), findings: [temporary] }));
    correlator.add(
      signal({ process: sampleProcess(['b'], { container: sampleContainer('/c') }), findings: [temporary] }),
    );
    expect(lines).toHaveLength(0);
  });

  it('forgets weak evidence that stayed alone', () => {
    const { correlator, lines } = correlate();
    correlator.add(signal({ process: sampleProcess(['a']), findings: [weak], time: 0 }));
    correlator.add(signal({ process: sampleProcess(['b']), findings: [temporary], time: 3_600_000 }));
    expect(lines).toHaveLength(0);
  });

  it('folds a flood of different programs, but never another rule', () => {
    const { correlator, lines, latest } = correlate();
    for (let count = 0; count < 1000; count++) {
      correlator.add(signal({ process: sampleProcess(['xmrig', `--x=${count}`]) }));
    }
    const before = latest().size;
    expect(before).toBeLessThan(100);
    correlator.add(signal({ process: sampleProcess(['quiet']), findings: [protocol] }));
    expect(lines.at(-1)).toMatchObject({ rule: 'pool-protocol' });
    expect(latest().size).toBe(before + 1);
    correlator.flush(Number.POSITIVE_INFINITY);
    const counted = [...latest().values()].reduce((sum, { repeats }) => sum + repeats + 1, 0);
    expect(counted).toBe(1001);
  });

  it('loses no occurrence, never becomes less sure, and gives the same ids in any order', () => {
    const programs = ['a', 'b', 'c'].map((name) => sampleProcess([name]));
    const step = fc.record({
      process: fc.constantFrom(...programs),
      rule: fc.constantFrom(named, protocol, finding('miner-arguments', 'argv', 'x')),
      pause: fc.nat(3000),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 60 }),
        fc.infiniteStream(fc.nat()),
        (steps, shuffle) => {
          const run = (order: typeof steps) => {
            const { correlator, lines, latest } = correlate();
            let time = 0;
            for (const { process, rule, pause } of order) {
              time += pause;
              correlator.add(signal({ process, findings: [rule], time }));
              correlator.flush(time);
            }
            correlator.flush(Number.POSITIVE_INFINITY);
            const sure = new Map<string, number>();
            for (const { id, confidence, repeats } of lines) {
              expect(confidence).toBeGreaterThanOrEqual(sure.get(id) ?? 0);
              expect(repeats).toBeGreaterThanOrEqual(0);
              sure.set(id, confidence);
            }
            const facts = new Set(order.map(({ process, rule }) => `${process.pid} ${rule.rule}`)).size;
            const repeats = [...latest().values()].reduce((sum, line) => sum + line.repeats, 0);
            expect(repeats + facts).toBe(order.length);
            return [...latest().keys()].toSorted();
          };
          const shuffled = steps
            .map((one) => ({ one, key: shuffle.next().value as number }))
            .toSorted((a, b) => a.key - b.key);
          expect(run(shuffled.map(({ one }) => one))).toEqual(run(steps));
        },
      ),
    );
  });
});
