import type { Detection } from '../../api/detection.ts';
import { type Incident, isOpen } from '../../api/incident.ts';
import { BREAK_GLASS_GROUP } from '../../api/names.ts';
import type { StepStatus } from '../../api/playbook.ts';
import { printable } from '../../api/printable.ts';
import type { Quarantine } from '../../api/quarantine.ts';
import { leftOut } from './report/facts.ts';

type Status = NonNullable<Incident['status']>;

/** Lines of evidence of one step; the report has all. */
const LINES = 8;

/** All that somebody on call has to know about one incident, what to do next first. `quarantine` is the one in force. */
export function details({ metadata, spec, status }: Incident, quarantine: Quarantine | undefined): string {
  const name = metadata.name ?? '';
  if (!status) return `${name}: nothing is known yet.\n`;
  const omitted = leftOut(status);
  const lines = [
    `${name}: ${spec.workload.kind} ${spec.namespace ? `${spec.namespace}/` : ''}${spec.workload.name}`,
    ...toDo(name, status, quarantine).map((line) => `  To do       ${line}`),
    `  Phase       ${status.phase}, confidence ${status.confidence}`,
    ...status.reasons.map((reason) => `  Because     ${reason}`),
    `  Pods        ${status.pods.join(', ') || 'none known'}`,
    `  Nodes       ${status.nodes.join(', ') || 'none known'}`,
    ...madeBy(status),
    ...containment(status, quarantine),
    '',
    ...status.detections.flatMap(detectionLines),
    '',
    ...(status.steps ?? []).flatMap(stepLines),
    '',
    ...status.timeline.map(({ time, source, message }) => `${time}  ${source.padEnd(9)}  ${message}`),
    ...(omitted === undefined ? [] : ['', omitted]),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

/** Steps that people have to approve; `release` where nothing is left but to end the quarantine. */
export function waitsFor(status: Incident['status']): string[] {
  if (!status || !isOpen({ status })) return [];
  const { phase, steps = [] } = status;
  const waiting: string[] = steps.filter(({ state }) => state === 'AwaitingApproval').map(({ step }) => step);
  return phase === 'Eradicated' && waiting.length === 0 ? ['release'] : waiting;
}

function toDo(name: string, status: Status, quarantine: Quarantine | undefined): string[] {
  const as = `--as=YOU --as-group=${BREAK_GLASS_GROUP}`;
  const waiting = waitsFor(status);
  if (waiting.includes('release')) {
    return quarantine ? [`kubectl kubesentry release ${quarantine.metadata.name} ${as}`] : [];
  }
  if (waiting.length === 0) return [];
  return [
    `kubectl kubesentry approve ${name} ${waiting.join(' ')} ${as}`,
    `kubectl kubesentry dismiss ${name} --reason WHY ${as}   (if it is no attack)`,
  ];
}

function madeBy({ attribution }: Status): string[] {
  if (!attribution?.creator) return [];
  const { user, address, userAgent } = attribution.creator;
  return [`  Made by     ${user} from ${address || 'an unknown address'} with ${userAgent}`];
}

/** Each effect, and whether it is in force. */
function containment(status: Status, quarantine: Quarantine | undefined): string[] {
  if (!status.quarantine) return [];
  if (!quarantine) return [`  Quarantine  ${status.quarantine}: ended`];
  return [
    `  Quarantine  ${status.quarantine}: ${quarantine.status?.phase ?? 'Pending'}`,
    ...(quarantine.status?.conditions ?? []).map(
      ({ type, status: is, message }) => `    ${type.padEnd(16)}  ${is.padEnd(7)}  ${message}`,
    ),
  ];
}

function detectionLines({ rule, process, container, action }: Detection): string[] {
  const where = container?.namespace ? `${container.namespace}/${container.pod ?? ''}` : 'the node itself';
  return [
    `${rule} (${action === 'none' ? 'only reported' : action}) in ${where}`,
    `  Process     ${process.exe}, pid ${process.pid}, uid ${process.uid}`,
    `  Arguments   ${process.argv.join(' ')}`,
    ...process.ancestors.map(({ exe, argv }) => `  Started by  ${exe}: ${argv.join(' ')}`),
    `  SHA-256     ${process.sha256 ?? 'gone before it could be read'}`,
  ];
}

function stepLines({ step, state, message, evidence = [], undo }: StepStatus): string[] {
  const more = evidence.length - LINES;
  return [
    `${step.padEnd(11)}  ${state.padEnd(16)}  ${message}`,
    ...evidence.slice(0, LINES).map((line) => `               ${line}`),
    ...(more > 0 ? [`               ... and ${more} more lines in the report`] : []),
    ...(undo === undefined ? [] : [`               undo: ${undo}`]),
  ];
}
