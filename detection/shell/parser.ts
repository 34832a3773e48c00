import { setFlagsFromString } from 'node:v8';
import { Language, Parser, type Tree } from 'web-tree-sitter';

/** Turns shell text into a syntax tree. The caller deletes the tree: wasm memory is not collected. */
export interface ShellParser {
  parse(script: string): Tree;
}

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
  return {
    parse(script) {
      const tree = parser.parse(script);
      if (tree === null) throw new TypeError('The shell parser has no language.');
      return tree;
    },
  };
}
