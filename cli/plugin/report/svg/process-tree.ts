import type { ProcessNode } from '../facts.ts';
import { figure, label, WIDTH } from './figure.ts';

const ROW = 34;
const INDENT = 24;

/** Parents above what they started; those that were caught are marked, by colour and by the rule in words. */
export function processTreeFigure(id: string, pod: string, roots: readonly ProcessNode[]): string {
  const rows: { node: ProcessNode; depth: number; parent: number }[] = [];
  const visit = (nodes: readonly ProcessNode[], depth: number, parent: number) => {
    for (const node of nodes) {
      const at = rows.push({ node, depth, parent }) - 1;
      visit(node.children, depth + 1, at);
    }
  };
  visit(roots, 0, -1);
  const boxes = rows.map(({ node, depth, parent }, at) => {
    const { process, rules } = node;
    const x = depth * INDENT;
    const y = at * ROW;
    const caught = rules.length > 0;
    const text = `${caught ? `[${rules.join(', ')}] ` : ''}${process.exe} (pid ${process.pid})  ${process.argv.join(' ')}`;
    const arrow =
      parent < 0 ? '' : `<path d="M${x - 12} ${parent * ROW + 26} V${y + 13} H${x}" class="edge"/>`;
    return `${arrow}<rect x="${x}" y="${y}" width="${WIDTH - x}" height="26" rx="4" class="${caught ? 'caught' : 'box'}"/>${label(x + 8, y + 18, text, caught ? 'caught-text' : '')}`;
  });
  const caught = rows.filter(({ node }) => node.rules.length > 0).length;
  const description = `${rows.length} process${rows.length === 1 ? '' : 'es'}, ${caught} of them caught; the first one is on top, what it started below.`;
  return figure(id, { title: `Processes in ${pod}`, description, height: rows.length * ROW }, boxes.join(''));
}
