import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

/** Every page that users read, by its path in the repository. */
export const PAGES: readonly string[] = [
  ...globSync('*.md', { cwd: ROOT }),
  ...globSync('docs/**/*.md', { cwd: ROOT }),
].sort();

/** One fenced block of a page. */
export interface Block {
  page: string;
  /** Of its first line of text, from 1 on. */
  line: number;
  language: string;
  /** What the info string says beside the language: why it is not run here, or that it has to fail. */
  title: string | undefined;
  text: string;
}

/** The fenced blocks of a page, in order; those in lists without their indentation. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let open: { block: Block; indent: string; lines: string[] } | undefined;
  for (const [at, line] of readFileSync(join(ROOT, page), 'utf8').split('\n').entries()) {
    const fence = /^(\s*)```(\S*)(?:\s+title=(\S+))?\s*$/.exec(line);
    if (!open && fence) {
      const [, indent = '', language = '', title] = fence;
      open = { block: { page, line: at + 2, language, title, text: '' }, indent, lines: [] };
    } else if (open && fence?.[2] === '') {
      open.block.text = open.lines.join('\n');
      blocks.push(open.block);
      open = undefined;
    } else open?.lines.push(line.slice(open.indent.length));
  }
  if (open) throw new Error(`${page}: the block at line ${open.block.line} does not end.`);
  return blocks;
}

export const placeOf = ({ page, line }: Block): string => `${page}:${line}`;

/** Whether a control plane is all that a block needs, or not even that (`offline`); one may have to fail there. */
export const isRunnable = ({ title }: Block): boolean =>
  title === undefined || title === 'offline' || title === 'is-refused';
