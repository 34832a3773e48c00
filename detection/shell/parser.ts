import { setFlagsFromString } from 'node:v8';
import { LRUCache } from 'lru-cache';
import { Language, Parser } from 'web-tree-sitter';
import { type Shape, SyntaxNode, shapeOf } from './syntax.ts';

/** CPU time that may go into reading scripts, in milliseconds; what is read takes from it. */
export interface Allowance {
  left: number;
}

/** Turns shell text into a syntax tree. */
export interface ShellParser {
  /** Undefined when the allowance does not suffice: the grammar goes back and forth in text that is made for it. */
  parse(script: string, allowance: Allowance): SyntaxNode | undefined;
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

  const read = (script: string, allowance: Allowance) => {
    const started = cpuTime();
    const progressCallback = () => cpuTime() - started > allowance.left;
    const tree = allowance.left > 0 ? parser.parse(script, null, { progressCallback }) : null;
    allowance.left -= cpuTime() - started;
    if (tree === null) {
      // Or it would go on from here with the next script.
      parser.reset();
      return undefined;
    }
    try {
      return shapeOf(tree);
    } finally {
      // Its memory is not collected.
      tree.delete();
    }
  };

  return {
    parse(script, allowance) {
      if (script.length > REMEMBERED_LENGTH) {
        const found = read(script, allowance);
        return found && new SyntaxNode(found.shape, script);
      }
      const key = shapeKey(script);
      let shape = remembered.get(key);
      if (shape === undefined) {
        const found = read(script, allowance);
        if (!found) return undefined;
        shape = found.shape;
        remembered.set(key, shape, { size: found.nodes });
      }
      return new SyntaxNode(shape, script);
    },
  };
}

/** In milliseconds, of this thread; before Node 23.9 of the whole process. */
function cpuTime(): number {
  const usage = typeof process.threadCpuUsage === 'function' ? process.threadCpuUsage() : process.cpuUsage();
  return usage.user / 1000;
}

/**
 * Equal for scripts that differ in digits only, as ports, versions and numbers of shards do: to the grammar a digit is a
 * digit, except for a 0 in front, which begins hexadecimal numbers and is the name of `$0`, and in the word that ends a
 * here-document.
 */
export function shapeKey(script: string): string {
  return script.includes('<<') ? script : script.replace(/[1-9]|(?<=\d)0/g, '1');
}
