import { isMap, isScalar, isSeq, type LineCounter, type Node, type ParsedNode } from 'yaml';
import { printable } from '../api/printable.ts';
import { objectPath } from '../detection/object-path.ts';

/** A place in a text, as compilers show one. Lines and columns start at 1. */
export interface Place {
  line: number;
  column: number;
  /** How many columns the match has; 1 at least. */
  length: number;
  /** The whole line. */
  text: string;
}

/** The text that an object was read from. */
export class ManifestText {
  readonly #text: string;
  readonly #lines: LineCounter;
  readonly #root: Node | null;

  constructor(text: string, lines: LineCounter, root: Node | null) {
    this.#text = text;
    this.#lines = lines;
    this.#root = root;
  }

  /** Of the item at `index`, where the text is a list. */
  item(index: number, list?: string): ManifestText {
    const items =
      list === undefined ? this.#root : isMap(this.#root) ? this.#root.get(list, true) : undefined;
    const node = isSeq(items) ? (items.items[index] as Node | undefined) : undefined;
    return new ManifestText(this.#text, this.#lines, node ?? null);
  }

  /** Where `path` is, and in it the `evidence` where that stands there as it is; undefined when it is not there. */
  place(path: string, evidence = ''): Place | undefined {
    let node: unknown = this.#root;
    for (const step of objectPath(path) ?? []) {
      const inside = childOf(node, step);
      if (inside === undefined || inside === null) break;
      node = inside;
    }
    const range = (node as ParsedNode | null)?.range;
    if (!range || node === this.#root) return undefined;
    const match = evidence.replace(/…$/, '');
    const isWhole = match === '' && isMap(node);
    const [start, end] = (isWhole && nameOf(node)?.range) || range;
    const found = match === '' ? -1 : this.#text.slice(start, end).indexOf(match);
    const at = found < 0 ? start : start + found;
    const { line, col } = this.#lines.linePos(at);
    const lineStart = at - col + 1;
    const newline = this.#text.indexOf('\n', at);
    const lineEnd = newline < 0 ? this.#text.length : newline;
    const stop = Math.min(found < 0 ? end : at + match.length, lineEnd);
    const text = this.#text.slice(lineStart, lineEnd).trimEnd();
    return { line, column: col, length: Math.max(stop - at, 1), text };
  }
}

/** By which people know a container; where a whole one is meant, its first line may be about anything. */
function nameOf(node: unknown): ParsedNode | undefined {
  const name = childOf(node, 'name');
  return isScalar(name) ? (name as ParsedNode) : undefined;
}

/** Of a key that is there twice the last one counts, as for the API server. */
function childOf(node: unknown, step: string | number): unknown {
  if (isSeq(node)) return node.get(step, true);
  if (!isMap(node)) return undefined;
  return node.items.findLast(({ key }) => isScalar(key) && String(key.value) === String(step))?.value;
}

/** Wide enough for a terminal; of longer lines the part around the match is shown. */
const WIDTH = 100;

/** The line of a place and carets under the match. */
export function underlined({ line, column, length, text }: Place, numbered: boolean): string[] {
  const from = column - 1 + length > WIDTH ? Math.max(column - 1 - 20, 0) : 0;
  const cut = printable(text.slice(from, from + WIDTH));
  const number = numbered ? `${line}` : '';
  const gutter = ' '.repeat(Math.max(number.length, 2));
  const carets = '^'.repeat(Math.max(Math.min(length, cut.length - (column - 1 - from)), 1));
  return [
    `${gutter} |`,
    `${number.padStart(gutter.length)} | ${from > 0 ? '…' : ''}${cut}`,
    `${gutter} | ${' '.repeat(column - 1 - from + (from > 0 ? 1 : 0))}${carets}`,
  ];
}
