import { expect, test } from 'vitest';
import { type BpfObject, RECORD_HEADER, RingBuffer } from '../index.ts';
import { openTiny } from './tiny.ts';

const RECORD = 256;
const STRIDE = RECORD_HEADER + RECORD;
const RUN = 1000;

function open(settings: { flag?: boolean; ringBytes?: number } = {}): BpfObject {
  const object = openTiny(['burst']);
  object.resizeMap('records', settings.ringBytes ?? 16 * 1024 * 1024);
  return object.setRodata({ flag: settings.flag ?? false }).load();
}

function lost(object: BpfObject): bigint {
  using counters = object.map('counters');
  return counters.sum(Buffer.from([1, 0, 0, 0]));
}

test('2,000,000 records of 256 bytes arrive complete and in order', { timeout: 60_000 }, async () => {
  using object = open();
  const slab = Buffer.alloc(1024 * 1024);
  const data = new DataView(slab.buffer, slab.byteOffset);
  const burst = object.program('burst');
  let next = 0;
  let wrong = 0;
  await new Promise<void>((resolve) => {
    using map = object.map('records');
    const ring = new RingBuffer(map, {
      buffer: slab,
      onBatch: (count, bytes) => {
        for (let at = 0; at < bytes; at += STRIDE) {
          if (data.getUint32(at, true) !== RECORD || data.getUint32(at + RECORD_HEADER, true) !== next++)
            wrong++;
        }
        if (count * STRIDE !== bytes) wrong++;
        // Made as they are read: the next ones when the ring has room for them.
        if (ring.available === 0 && next < 2_000_000) produce();
        if (next >= 2_000_000) {
          ring.close();
          resolve();
        }
      },
    });
    const produce = () => {
      for (let run = 0; run < 40; run++) burst.run();
    };
    produce();
  });
  expect({ next, wrong, lost: lost(object) }).toEqual({ next: 2_000_000, wrong: 0, lost: 0n });
});

test('discarded records are not delivered', () => {
  using object = open({ flag: true });
  using ring = new RingBuffer(object.map('records'), { buffer: Buffer.alloc(1024 * 1024) });
  object.program('burst').run();
  const { count, bytes } = ring.drain();
  expect([count, bytes]).toEqual([666, 666 * STRIDE]);
  expect(ring.drain()).toEqual({ count: 0, bytes: 0 });
  expect(ring.available).toBe(0);
});

test('what does not fit the slab comes with the next batch, also over the end of the ring', () => {
  using object = open({ ringBytes: 512 * 1024 });
  const slab = Buffer.alloc(10_000);
  using ring = new RingBuffer(object.map('records'), { buffer: slab });
  const burst = object.program('burst');
  let next = 0;
  for (let run = 0; run < 50; run++) {
    burst.run();
    for (let batch = ring.drain(); batch.count > 0; batch = ring.drain()) {
      expect(batch.bytes).toBeLessThanOrEqual(slab.length);
      for (let at = 0; at < batch.bytes; at += STRIDE) {
        if (slab.readUInt32LE(at + RECORD_HEADER) !== next++)
          throw new Error(`record ${next - 1} is not in its place`);
      }
    }
  }
  expect(next).toBe(50 * RUN);
});

test('what the ring cannot hold is lost and counted, and the rest is whole', () => {
  using object = open({ ringBytes: 64 * 1024 });
  using ring = new RingBuffer(object.map('records'), { buffer: Buffer.alloc(64 * 1024) });
  object.program('burst').run();
  const { count } = ring.drain();
  expect(count).toBeGreaterThan(200);
  expect(BigInt(count) + lost(object)).toBe(BigInt(RUN));
});

test('a record larger than the slab is an error, not a silent stop', () => {
  using object = open();
  using ring = new RingBuffer(object.map('records'), { buffer: Buffer.alloc(STRIDE - 1) });
  object.program('burst').run();
  expect(() => ring.drain()).toThrow(expect.objectContaining({ code: 'ENOBUFS' }));
});

test('other work of the event loop has its turn between batches', async () => {
  using object = open();
  object.program('burst').run();
  let batches = 0;
  let atTurn = -1;
  await new Promise<void>((resolve) => {
    const ring = new RingBuffer(object.map('records'), {
      buffer: Buffer.alloc(STRIDE * 10),
      onBatch: () => {
        if (++batches === 1) setImmediate(() => (atTurn = batches));
        if (batches === RUN / 10) {
          ring.close();
          resolve();
        }
      },
    });
  });
  expect(atTurn).toBeGreaterThan(0);
  expect(atTurn).toBeLessThan(RUN / 10);
});
