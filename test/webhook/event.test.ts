import { expect, it } from 'vitest';
import { eventOf } from '../../webhook/event.ts';

const noteOf = (note: string) =>
  (
    eventOf({
      name: 'x',
      namespace: 'shop',
      type: 'Warning',
      reason: 'CryptominingConfirmed',
      action: 'Respond',
      note,
      time: '2026-06-01T12:00:00.000Z',
      regarding: { kind: 'Pod', name: 'web' },
    }) as unknown as { note: string }
  ).note;

it.each(['x', 'é', '挖', '\u{1f4b0}'])(
  'an Event fits into the bytes that the API server takes, whatever letters an attacker names things with: %s',
  (letter) => {
    const note = noteOf(letter.repeat(900));
    expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1000);
    expect(note.isWellFormed()).toBe(true);
    expect(note).not.toContain('\ufffd');
    expect(note).toMatch(/^\P{Cc}{200}/u);
  },
);
