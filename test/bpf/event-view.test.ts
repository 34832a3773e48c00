import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventView, eachEvent, eachRecord } from '../../bpf/event-view.ts';
import { EVENT, HEADER_SIZE, LAYOUT } from '../../bpf/events.ts';

const { fields, size: fixed } = LAYOUT.exec_event;

/** An exec as the kernel would write it. */
function execEvent(filename: string, argv: string[]): Buffer {
  const name = Buffer.from(filename);
  const args = Buffer.from(argv.map((word) => `${word}\0`).join(''));
  const event = Buffer.alloc(fixed + name.length + args.length);
  event.writeUInt32LE(event.length, 0);
  event.writeUInt16LE(EVENT.exec, LAYOUT.event_header.fields.type);
  event.writeUInt16LE(name.length, fields.filename_len);
  event.writeUInt16LE(args.length, fields.args_len);
  name.copy(event, fields.text);
  args.copy(event, fields.text + name.length);
  return event;
}

/** Events as the ring puts them into a slab: header, record, padding. */
function slabOf(events: Buffer[]): Buffer {
  return Buffer.concat(
    events.flatMap((event) => {
      const header = Buffer.alloc(8, 0xee);
      header.writeUInt32LE(event.length);
      return [header, event, Buffer.alloc((8 - (event.length % 8)) % 8, 0xee)];
    }),
  );
}

const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0') && text.isWellFormed());
const exec = fc.record({ filename: word, argv: fc.array(word, { minLength: 1, maxLength: 20 }) });

test('whatever the words are, every event of a batch is read back', () => {
  fc.assert(
    fc.property(fc.array(exec, { maxLength: 20 }), (execs) => {
      const slab = slabOf(execs.map(({ filename, argv }) => execEvent(filename, argv)));
      const read: typeof execs = [];
      eachEvent(new EventView(slab), slab.length, ({ filename, argv }) => read.push({ filename, argv }));
      expect(read).toEqual(execs);
    }),
  );
});

test('a program without arguments has none, one with an empty argument has one', () => {
  expect(new EventView(execEvent('/x', [])).argv).toEqual([]);
  expect(new EventView(execEvent('/x', [''])).argv).toEqual(['']);
});

test('arguments that were cut within a word keep what is there', () => {
  const event = execEvent('/x', ['/x', 'abcdef']);
  event.writeUInt16LE(5, fields.args_len);
  expect(new EventView(event).argv).toEqual(['/x', 'ab']);
});

test('a comm of 15 bytes and a start time beyond 2^32 are read whole', () => {
  const event = Buffer.alloc(HEADER_SIZE);
  const { comm, start_time } = LAYOUT.event_header.fields;
  event.write('123456789012345\0', comm);
  event.writeBigUInt64LE(2n ** 52n + 3n, start_time);
  const view = new EventView(event);
  expect([view.comm, view.startTime]).toEqual(['123456789012345', 2 ** 52 + 3]);
});

test('records of an iterator follow each other directly', () => {
  const one = Buffer.alloc(LAYOUT.process_event.size);
  one.writeUInt32LE(one.length, 0);
  one.writeUInt32LE(7, LAYOUT.event_header.fields.tgid);
  const seen: number[] = [];
  eachRecord(Buffer.concat([one, one, one]), ({ tgid }) => seen.push(tgid));
  expect(seen).toEqual([7, 7, 7]);
});
