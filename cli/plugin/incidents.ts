import { KubesentryError } from '../../api/errors.ts';
import type { Incident } from '../../api/incident.ts';
import { KIND } from '../../kube/kind.ts';
import { columns } from '../columns.ts';
import { pluginCommand, type Session } from './options.ts';

const USAGE = `
Usage: kubectl kubesentry incidents [NAME]

Lists the workloads under attack, or tells all that is known about one.
`;

export const incidentsCommand = pluginCommand({ text: USAGE, arguments: [0, 1] }, incidents);

/** Raises KUBE_NOT_FOUND for a name that no incident has. */
export async function incidents({ connect, positionals, namespace, write }: Session): Promise<void> {
  const cluster = await connect();
  const [name] = positionals;
  if (name !== undefined) {
    const incident = await cluster.get(KIND.Incident, { name });
    if (!incident) throw new KubesentryError('KUBE_NOT_FOUND', `There is no incident "${name}".`);
    write(details(incident));
    return;
  }
  const { items } = await cluster.list(KIND.Incident);
  const shown = items.filter(({ spec }) => namespace === undefined || spec.namespace === namespace);
  if (shown.length === 0) {
    write('No incidents found.\n');
    return;
  }
  const rows = shown.map(({ metadata, spec, status }) => [
    metadata.name ?? '',
    status?.phase ?? '',
    String(status?.confidence ?? ''),
    spec.namespace,
    `${spec.workload.kind}/${spec.workload.name}`,
    status?.detections[0]?.rule ?? '',
    status?.lastSeen ?? '',
  ]);
  write(columns(['NAME', 'PHASE', 'CONFIDENCE', 'NAMESPACE', 'WORKLOAD', 'RULE', 'LAST SEEN'], rows));
}

function details({ metadata, spec, status }: Incident): string {
  if (!status) return `${metadata.name}: nothing is known yet.\n`;
  const creator = status.attribution?.creator;
  const lines = [
    `${metadata.name}: ${spec.workload.kind} ${spec.namespace}/${spec.workload.name}`,
    `  Phase       ${status.phase}, confidence ${status.confidence}`,
    ...status.reasons.map((reason) => `  Because     ${reason}`),
    `  Pods        ${status.pods.join(', ')}`,
    `  Nodes       ${status.nodes.join(', ')}`,
    ...(creator
      ? [
          `  Made by     ${creator.user} from ${creator.address || 'an unknown address'} with ${creator.userAgent}`,
        ]
      : []),
    ...(status.quarantine
      ? [`  Quarantine  ${status.quarantine}: kubectl kubesentry release ${status.quarantine} ends it`]
      : []),
    '',
    ...status.detections.flatMap(({ rule, process, container, action }) => [
      `${rule} (${action === 'none' ? 'only reported' : action}) in ${container?.namespace ?? 'the node'}/${container?.pod ?? ''}`,
      `  Process     ${process.exe}, pid ${process.pid}, uid ${process.uid}`,
      `  Arguments   ${process.argv.join(' ')}`,
      ...process.ancestors.map(({ exe, argv }) => `  Started by  ${exe}: ${argv.join(' ')}`),
      `  SHA-256     ${process.sha256 ?? 'gone before it could be read'}`,
    ]),
    '',
    ...(status.steps ?? []).map(
      ({ step, state, message }) => `${step.padEnd(11)}  ${state.padEnd(16)}  ${message}`,
    ),
    '',
    ...status.timeline.map(({ time, source, message }) => `${time}  ${source.padEnd(9)}  ${message}`),
  ];
  return `${lines.join('\n')}\n`;
}
