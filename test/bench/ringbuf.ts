/**
 * The ring buffer into JavaScript. Another process makes system calls as fast as it can, each is one record of 256
 * bytes, and this process looks at the length and one member of every record.
 * Prints {events, lost, events_per_s, cpu_us_per_event} as JSON; CPU is user and system time of this process alone.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { RECORD_HEADER, RingBuffer } from 'node-libbpf';
import { openTiny } from '../../bpf/node-libbpf/test/tiny.ts';

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, calls: { type: 'string', default: '3000000' } },
});
const RECORD = 256;

// It waits for a line, so that the program can be told its process id before it starts.
const script = `read line; exec dd if=/dev/zero of=/dev/null bs=1 count=${Number(values.calls) / 2} status=none`;
const producer = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'inherit', 'inherit'] });

using object = openTiny(['record_call'])
  .setRodata({ wanted_tgid: producer.pid ?? 0 })
  .load();
using _link = object.program('record_call').attach();
using counters = object.map('counters');
const slab = Buffer.alloc(1024 * 1024);
const data = new DataView(slab.buffer, slab.byteOffset);
let events = 0;
let damaged = 0;
const ring = new RingBuffer(object.map('records'), {
  buffer: slab,
  onBatch: (count, bytes) => {
    events += count;
    for (let at = 0; at < bytes; at += RECORD_HEADER + RECORD) {
      if (data.getUint32(at, true) !== RECORD || data.getUint32(at + RECORD_HEADER + 4, true) !== 0)
        damaged++;
    }
  },
});

const started = performance.now();
const before = process.cpuUsage();
producer.stdin.end('go\n');
await once(producer, 'close');
while (ring.available > 0) await new Promise(setImmediate);
const seconds = (performance.now() - started) / 1000;
const cpu = process.cpuUsage(before);
ring.close();

if (damaged > 0) throw new Error(`${damaged} records are damaged.`);
const result = {
  events,
  lost: Number(counters.sum(Buffer.from([1, 0, 0, 0]))),
  events_per_s: Math.round(events / seconds),
  cpu_us_per_event: Number(((cpu.user + cpu.system) / events).toFixed(3)),
};
console.log(
  values.json
    ? JSON.stringify(result)
    : `${result.events} events, ${result.lost} lost, ${result.events_per_s} a second, ${result.cpu_us_per_event} us of CPU each`,
);
