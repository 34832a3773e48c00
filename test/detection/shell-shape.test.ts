import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Language, Parser } from 'web-tree-sitter';
import { shapeKey } from '../../detection/shell/parser.ts';
import { SyntaxNode, shapeOf } from '../../detection/shell/syntax.ts';
import { tokenText } from '../fuzz/mutate.ts';
import { runs, TIMEOUT } from '../fuzz/runs.ts';

const wasm = (name: string) => readFileSync(fileURLToPath(import.meta.resolve(name)));
await Parser.init({ wasmBinary: wasm('web-tree-sitter/web-tree-sitter.wasm') });
const parser = new Parser();
parser.setLanguage(await Language.load(wasm('tree-sitter-bash/tree-sitter-bash.wasm')));

function shape(script: string) {
  const tree = parser.parse(script);
  if (!tree) throw new Error('No tree.');
  try {
    return shapeOf(tree).shape;
  } finally {
    tree.delete();
  }
}

const DIGITS = fc.stringMatching(/^[0-9]{1,3}$/);

test(
  'scripts with the same key have the same tree',
  () =>
    fc.assert(
      fc.property(tokenText, fc.array(DIGITS, { maxLength: 8 }), (text, numbers) => {
        // Numbers at the seams of words and operators, where they might mean something.
        const places = text.split(/(?<=[^A-Za-z])/);
        const script = numbers
          .reduce<string[]>(
            (parts, number, at) => parts.toSpliced((at * 7) % (parts.length + 1), 0, number),
            places,
          )
          .join('');
        expect(shape(script)).toEqual(shape(shapeKey(script)));
      }),
      { numRuns: runs(0.2) },
    ),
  TIMEOUT,
);

test.each([
  'a 2>&1 >&2 10>x 0<&3',
  `echo $0 $1 \${10} \${#2} $$ $? "$5"`,
  'x=0x1F y=0x2e z=16#ff w=8#77 echo $((0x1F + 8#17 + 010))',
  'for i in {1..5} {a..c} {01..10}; do r$i=7; done',
  'case $1 in 0) a;; 1|2) b;; [3-9]*) c;; esac',
  '[[ $a -eq 2 && 3 < 4 ]] || ((i=0; i<5; i++))',
  `a[0]=1 a[12]=2; echo \${a[3]} \${b:1:2} \${c/2/3}`,
  'f2() { 3cmd 4>/dev/null; }; f2 | 9x',
])('so have: %s', (script) => {
  for (const digit of ['1', '5', '9']) {
    const other = script.replace(/[1-9]/g, digit);
    expect(shapeKey(other)).toBe(shapeKey(script));
    expect(shape(other)).toEqual(shape(script));
  }
});

test('the word that ends a here-document counts', () => {
  expect(shapeKey('cat <<E1\nx\nE2\ny\nE1\n')).not.toBe(shapeKey('cat <<E1\nx\nE1\ny\nE1\n'));
});

test('a node reads its text from the script at hand, not from the one that was parsed', () => {
  const tree = new SyntaxNode(shape('sleep 1 && run --port 8080'), 'sleep 9 && run --port 3333');
  const [list] = tree.namedChildren;
  expect(list?.namedChildren.map(({ text }) => text)).toEqual(['sleep 9', 'run --port 3333']);
  expect(list?.namedChildren[0]?.child('name')?.text).toBe('sleep');
});

test('nesting as deep as the script is long does not end the reader', () => {
  const deep = 'a $('.repeat(5_000) + ')'.repeat(5_000);
  expect(shape(deep)).toMatchObject({ start: 0, end: deep.length });
});
