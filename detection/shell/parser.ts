import { setFlagsFromString } from 'node:v8';
import { LRUCache } from 'lru-cache';
import { Language, Parser } from 'web-tree-sitter';
import { type Shape, SyntaxNode, shapeOf } from './syntax.ts';

/** Turns shell text into a syntax tree. */
export interface ShellParser {
  parse(script: string): SyntaxNode;
}

/** Scripts of one shape are deployed again and again; a long one is rare and would drive the others out. */
const REMEMBERED_LENGTH = 4096;

/** Of all shapes that are remembered. */
const NODE_LIMIT = 20_000;

/**
 * Starts the parser from the bytes of web-tree-sitter.wasm and tree-sitter-bash.wasm.
 * It reads broken scripts as well: what it cannot place stands in the tree as ERROR.
 */
export async function startShellParser(runtime: Uint8Array, grammar: Uint8Array): Promise<ShellParser> {
  // V8's optimizing compiler takes over 500 MB for a moment when the grammar's lexer becomes hot, which ends a container
  // that has a limit; and what it makes of it parses no faster.
  setFlagsFromString('--no-wasm-dynamic-tiering');
  setFlagsFromString('--no-wasm-tier-up');
  await Parser.init({ wasmBinary: runtime });
  const parser = new Parser();
  parser.setLanguage(await Language.load(grammar));
  const remembered = new LRUCache<string, Shape>({ maxSize: NODE_LIMIT, maxEntrySize: NODE_LIMIT / 10 });

  const read = (script: string) => {
    const tree = parser.parse(script);
    if (tree === null) throw new TypeError('The shell parser has no language.');
    try {
      return shapeOf(tree);
    } finally {
      // Its memory is not collected.
      tree.delete();
    }
  };

  return {
    parse(script) {
      if (script.length > REMEMBERED_LENGTH) return new SyntaxNode(read(script).shape, script);
      const key = shapeKey(script);
      let shape = remembered.get(key);
      if (shape === undefined) {
        const { shape: found, nodes } = read(script);
        shape = found;
        remembered.set(key, shape, { size: nodes });
      }
      return new SyntaxNode(shape, script);
    },
  };
}

/**
 * Equal for scripts that differ in digits only, as ports, versions and numbers of shards do: to the grammar a digit is a
 * digit, except for a 0 in front, which begins hexadecimal numbers and is the name of `$0`, and in the word that ends a
 * here-document.
 */
export function shapeKey(script: string): string {
  return script.includes('<<') ? script : script.replace(/[1-9]|(?<=\d)0/g, '1');
}
