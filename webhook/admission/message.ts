import type { Finding } from '../../api/finding.ts';
import { printable } from '../../api/printable.ts';
import { isPosture } from '../../detection/rules.ts';
import type { Ruling } from './gate.ts';
import type { AdmissionRequest } from './review.ts';

const WIDTH = 80;
const FINDINGS_SHOWN = 3;
const REMEDIES_SHOWN = 2;

/** The API server cuts a warning at 256 characters (apiserver/pkg/warning). */
const WARNING_LENGTH = 256;

/**
 * What the user reads who was refused: in lines of 80 columns in a terminal, and as sentences that stay readable when
 * an event of a ReplicaSet shows them as one line. `id` is the name of the Denial; undefined on a dry run.
 */
export function refusalMessage(request: AdmissionRequest, ruling: Ruling, id: string | undefined): string {
  const { findings } = ruling;
  const shown = findings.slice(0, FINDINGS_SHOWN).map((finding) => wrap(`- ${findingText(finding)}`, '  '));
  const hidden = findings.length - shown.length;
  // Posture is no reason to refuse, so tightening it is no way to be admitted.
  const causes = findings.filter(({ rule }) => !isPosture(rule));
  const advice = [...new Set(causes.map(({ remedy }) => remedy))];
  const remedies = advice
    .filter((one) => !advice.some((other) => other !== one && other.includes(one)))
    .slice(0, REMEDIES_SHOWN);
  return [
    wrap(`${subjectOf(request)} is refused: ${ruling.reason}`, ''),
    ...shown,
    ...(hidden > 0 ? [`- and ${hidden} more finding${hidden === 1 ? '' : 's'}.`] : []),
    ...remedies.filter((remedy) => remedy !== '').map((remedy) => wrap(`To do: ${remedy}`, '  ')),
    id === undefined ? 'Dry run: nothing is recorded.' : `Record ${id}: kubectl kubesentry explain ${id}`,
  ].join('\n');
}

/** The same in one line, for an Event and for what is admitted with a warning. */
export function oneLine(message: string, length: number): string {
  return cut(message.replace(/\s*\n\s*/g, ' '), length);
}

export function warningText(request: AdmissionRequest, ruling: Ruling, id: string | undefined): string {
  const [first] = ruling.findings;
  const where = first ? ` ${first.rule} at ${first.path}.` : '';
  const record = id === undefined ? '' : ` Record ${id}.`;
  const what = ruling.passing ? 'looks unusual' : 'would be refused';
  const reason = ruling.passing ? `score ${ruling.score} of 100.` : ruling.reason;
  const text = `kubesentry: ${subjectOf(request)} ${what}: ${reason}${where}`;
  return `${cut(printable(text), WARNING_LENGTH - record.length)}${record}`;
}

/** `DaemonSet shop/xmrig`, `exec into Pod shop/x`. */
function subjectOf({ kind, name, namespace, resource, subResource, object }: AdmissionRequest): string {
  const called = name || `${object?.metadata?.generateName ?? ''}*`;
  // A Namespace is said to be in itself.
  const place = namespace === '' || kind.kind === 'Namespace' ? called : `${namespace}/${called}`;
  if (resource.resource === 'pods' && subResource !== '') {
    const act: Record<string, string> = {
      exec: 'exec into Pod',
      attach: 'attach to Pod',
      portforward: 'port-forward to Pod',
      proxy: 'request to Pod',
      ephemeralcontainers: 'ephemeral container in Pod',
      binding: 'start of Pod',
      resize: 'resize of Pod',
    };
    return `${act[subResource] ?? `${subResource} of Pod`} ${place}`;
  }
  if (resource.resource === 'services' && subResource === 'proxy') return `request to Service ${place}`;
  if (subResource === 'token') return `Token for ServiceAccount ${place}`;
  return `${kind.kind} ${place}`;
}

function findingText({ rule, path, message }: Finding): string {
  const text = `${rule}${path === '' ? '' : ` at ${path}`}: ${cut(message, 320)}`;
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(length - 3, 0))}...`;
}

/**
 * Breaks at blanks; a word longer than a line stays whole, so that paths and commands can be copied. Names of fields and
 * words of commands are what the requester wrote, and others read this too: nothing of it steers a terminal.
 */
function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of printable(text.replace(/\s+/g, ' ')).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}
