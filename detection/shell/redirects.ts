import { judgeSocket } from '../download.ts';
import type { Data } from './data.ts';
import { expandText, expandWords } from './expand.ts';
import type { Machine } from './machine.ts';
import type { SyntaxNode } from './syntax.ts';

export interface Redirects {
  stdin?: Data;
  /** Where standard output is kept. */
  target?: string;
  append: boolean;
  /** Standard output goes over the network. */
  sent: boolean;
  /** Standard output goes to /dev/null. */
  silent: boolean;
  /** The grammar hangs what follows `<<EOF |` below the here-document. */
  pipeline: SyntaxNode[];
}

/** Reads the redirections of a statement; expands here-documents. */
export function readRedirects(node: SyntaxNode, machine: Machine): Redirects {
  const redirects: Redirects = { append: false, sent: false, silent: false, pipeline: [] };
  // `2>FILE <<< TEXT`: the grammar knows a here-string before other redirections only.
  let isHereString = false;
  for (const child of node.namedChildren) {
    const word = isHereString ? child.child('destination') : undefined;
    isHereString = child.type === 'ERROR' && child.text === '<<';
    if (word) redirects.stdin = { text: `${expandText(word, machine)}\n` };
    else if (child.type === 'file_redirect') readFile(child, redirects, machine);
    else if (child.type === 'herestring_redirect') {
      const word = child.namedChildren[0];
      if (word) redirects.stdin = { text: `${expandText(word, machine)}\n` };
    } else if (child.type === 'heredoc_redirect') readHereDocument(child, redirects, machine);
  }
  return redirects;
}

function readFile(node: SyntaxNode, redirects: Redirects, machine: Machine): void {
  const operator = node.children.find((child) => /^[<>&|]+$/.test(child.type))?.type ?? '>';
  const destination = node.child('destination');
  if (!destination) return;
  const [target = ''] = expandWords(destination, machine);
  const descriptor = node.child('descriptor')?.text;
  if (target.startsWith('/dev/tcp/') || target.startsWith('/dev/udp/')) {
    const data = judgeSocket(target, machine);
    machine.scope.write(`/dev/fd/${descriptor ?? 0}`, data);
    if (operator === '<') redirects.stdin = data;
    else if (descriptor === undefined || descriptor === '1') redirects.sent = true;
    return;
  }
  if (operator === '<' || operator === '<&') {
    const data = machine.scope.read(operator === '<' ? target : `/dev/fd/${target}`);
    if (data) redirects.stdin = data;
    return;
  }
  if (descriptor !== undefined && descriptor !== '1') return;
  if (operator === '>&' && machine.scope.read(`/dev/fd/${target}`)?.downloadedFrom) redirects.sent = true;
  if (target === '/dev/null') redirects.silent = true;
  else if (!/^[&\d-]/.test(target) && operator.includes('>')) {
    redirects.target = target;
    redirects.append = operator === '>>';
  }
}

function readHereDocument(node: SyntaxNode, redirects: Redirects, machine: Machine): void {
  const start = node.namedChildren.find(({ type }) => type === 'heredoc_start')?.text ?? '';
  for (const child of node.namedChildren) {
    if (child.type === 'heredoc_body') {
      const literal = /['"\\]/.test(start);
      redirects.stdin = { text: literal ? child.text : expandText(child, machine) };
    } else if (child.type === 'file_redirect') readFile(child, redirects, machine);
    else if (child.type === 'pipeline') redirects.pipeline.push(...child.namedChildren);
    else if (/^(command|redirected_statement|list|subshell|compound_statement)$/.test(child.type)) {
      redirects.pipeline.push(child);
    }
  }
}
