import { readdirSync, readlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { BpfError, BpfMap, type BpfObject, type Link, RingBuffer } from '../index.ts';
import { openTiny, tinyFile } from './tiny.ts';

/** Descriptors of eBPF things in this process. */
const descriptors = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /bpf/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false; // the descriptor of this very listing
    }
  }).length;

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 5; round++) {
    collect();
    await setImmediate();
  }
}

function everything(): { object: BpfObject; map: BpfMap; link: Link; ring: RingBuffer } {
  const object = openTiny(['on_system_call', 'burst']);
  object.setRodata({ wanted_tgid: 1 }).load();
  const map = object.map('records');
  return {
    object,
    map,
    link: object.program('on_system_call').attach(),
    ring: new RingBuffer(map, { buffer: Buffer.alloc(4096) }),
  };
}

test('closing twice is harmless, use after close is EBADF', () => {
  const before = descriptors();
  const { object, map, link, ring } = everything();
  for (const each of [link, ring, map, object, link, ring, map, object]) each.close();
  expect([object.closed, map.closed, link.closed, ring.closed]).toEqual([true, true, true, true]);
  for (const use of [
    () => object.load(),
    () => object.program('burst').run(),
    () => map.get(Buffer.alloc(0)),
    () => ring.drain(),
    () => new RingBuffer(map, { buffer: Buffer.alloc(4096) }),
  ]) {
    expect(use).toThrow(expect.objectContaining({ name: 'BpfError', code: 'EBADF' }));
  }
  expect(descriptors()).toBe(before);
});

test('maps, links and rings outlive their object', () => {
  const { object, map, link, ring } = everything();
  object.program('burst').run();
  object.close();
  expect(link.closed).toBe(false);
  expect(map.info.name).toBe('records');
  expect(ring.drain().count).toBeGreaterThan(0);
  for (const each of [link, ring, map]) each.close();
});

test('what nobody holds is closed by the garbage collector', async () => {
  await collectGarbage();
  const before = descriptors();
  for (let round = 0; round < 5; round++) everything();
  expect(descriptors()).toBeGreaterThan(before);
  await collectGarbage();
  expect(descriptors()).toBe(before);
});

test('a ring that delivers is not garbage; closing it within its own callback is fine', async () => {
  using object = openTiny(['burst']);
  object.load();
  let delivered = 0;
  const done = new Promise<void>((resolve) => {
    const ring = new RingBuffer(object.map('records'), {
      buffer: Buffer.alloc(8192),
      onBatch: (count) => {
        delivered += count;
        ring.close();
        resolve();
      },
    });
  });
  await collectGarbage();
  object.program('burst').run();
  await done;
  const first = delivered;
  await setImmediate();
  expect(first).toBeGreaterThan(0);
  expect(delivered).toBe(first);
});

test('a worker may end with everything open', async () => {
  await collectGarbage();
  const before = descriptors();
  const index = new URL('../index.ts', import.meta.url).href;
  const worker = new Worker(
    `(async () => {
      const { BpfObject, RingBuffer } = await import(${JSON.stringify(index)});
      const object = BpfObject.open(${JSON.stringify(tinyFile())});
      for (const program of object.programs.values()) program.autoload = false;
      object.load();
      new RingBuffer(object.map('records'), { buffer: Buffer.alloc(4096), onBatch: () => {} });
      require('node:worker_threads').parentPort.postMessage('open');
    })();`,
    { eval: true },
  );
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
  expect(descriptors()).toBe(before);
});

test('an exception in the callback is an uncaught exception, as from any event', async () => {
  const { spawnSync } = await import('node:child_process');
  const index = new URL('../index.ts', import.meta.url).href;
  const script = `
    import { BpfObject, RingBuffer } from ${JSON.stringify(index)};
    const object = BpfObject.open(${JSON.stringify(tinyFile())});
    for (const program of object.programs.values()) program.autoload = program.name === 'burst';
    object.load();
    new RingBuffer(object.map('records'), { buffer: Buffer.alloc(4096), onBatch: () => { throw new Error('mine'); } });
    process.on('uncaughtException', (error) => { console.log(error.message); process.exit(3); });
    object.program('burst').run();`;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect([status, stdout]).toEqual([3, 'mine\n']);
});

test('a handle of another kind is refused', () => {
  using map = BpfMap.create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 });
  expect(() => new RingBuffer(map, { buffer: Buffer.alloc(4096) })).toThrow(BpfError);
  expect(() => new BpfMap({} as never)).toThrow(TypeError);
});
