import fc from 'fast-check';

/** Pieces that mean something to one parser or another. */
const TOKENS = [
  ...[
    'xmrig',
    'stratum+tcp://',
    'pool.supportxmr.com:3333',
    '-o',
    '-u',
    '--donate-level=1',
    'rx/0',
    'kaspa:qp',
  ],
  ...[
    '$(',
    ')',
    '${',
    '}',
    '`',
    '"',
    "'",
    "$'",
    '\\',
    '\\x41',
    '|',
    '||',
    '&',
    '&&',
    ';',
    ';;',
    '\n',
    '#',
    '<(',
    '>(',
  ],
  ...[
    '<<EOF\n',
    '<<-E',
    'EOF\n',
    '<<<',
    '>&3',
    '>>',
    '2>&1',
    '</dev/tcp/a/1',
    'if ',
    'then ',
    'fi',
    'for i in ',
    'do ',
  ],
  ...[
    'done',
    'case x in',
    'esac',
    'f(){ ',
    'eval ',
    'sh -c ',
    'base64 -d',
    'xxd -r -p',
    'gunzip',
    'python3 -c ',
    'cut -c2-',
  ],
  ...[
    's/a/b/',
    'cp /bin/busybox ',
    '#!/bin/sh\n',
    '#cloud-config\n',
    'runcmd:\n- ',
    'FROM a\nRUN ',
    '* * * * * ',
    '{"pools":[',
  ],
  ...[
    '[',
    ']',
    '{',
    '{{',
    '}}',
    ':',
    ',',
    '=',
    '@',
    '/',
    '//',
    '..',
    '\0',
    '\u200b',
    '\ud800',
    'ｘｍｒｉｇ',
    '\u{1f600}',
    '%s',
  ],
  ...[
    '4',
    '0x',
    'A'.repeat(300),
    '('.repeat(60),
    '$('.repeat(40),
    '{"a":'.repeat(30),
    '${a:-'.repeat(30),
    '$$',
    '$(A)',
  ],
];

/** One change of a text at a place between 0 and 1. */
export interface Change {
  at: number;
  length: number;
  kind: 'insert' | 'delete' | 'repeat' | 'swap';
  token: string;
}

export const change: fc.Arbitrary<Change> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.nat(24),
  kind: fc.constantFrom('insert', 'delete', 'repeat', 'swap'),
  token: fc.oneof(
    fc.constantFrom(...TOKENS),
    fc.string({ maxLength: 12 }),
    fc.string({ unit: 'binary', maxLength: 6 }),
  ),
});

export function changeText(text: string, { at, length, kind, token }: Change): string {
  const start = Math.floor(at * text.length);
  const [before, piece, after] = [
    text.slice(0, start),
    text.slice(start, start + length),
    text.slice(start + length),
  ];
  if (kind === 'insert') return before + token + piece + after;
  if (kind === 'delete') return before + after;
  if (kind === 'repeat') return before + piece.repeat(8) + after;
  return after + token + before;
}

/** Changes one string somewhere in an object; `at` says which. */
export function changeObject(object: unknown, which: number, changes: readonly Change[]): unknown {
  const count = countStrings(object);
  let left = Math.floor(which * count);
  const visit = (value: unknown): unknown => {
    if (typeof value === 'string') return left-- === 0 ? changes.reduce(changeText, value) : value;
    if (Array.isArray(value)) return value.map(visit);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, visit(child)]));
  };
  return visit(object);
}

function countStrings(value: unknown): number {
  if (typeof value === 'string') return 1;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, child) => sum + countStrings(child), 0);
}

/** Text made of tokens alone. */
export const tokenText = fc
  .array(fc.oneof(fc.constantFrom(...TOKENS), fc.constantFrom(' ', 'a', 'X', '1')), { maxLength: 40 })
  .map((parts) => parts.join(''));
