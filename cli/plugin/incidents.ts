import { KubesentryError } from '../../api/errors.ts';
import type { Incident, IncidentPhase } from '../../api/incident.ts';
import { KIND } from '../../kube/kind.ts';
import { age, LIST_HELP, LIST_OPTIONS, list, type Table } from './listing.ts';
import { pluginCommand, type Session } from './options.ts';
import { leftOut } from './report/facts.ts';

const USAGE = `
Usage: kubectl kubesentry incidents [NAME] [-w] [-o FORMAT]

Lists the workloads under attack, those that need somebody first, or tells all that is known about one.

Examples:
  kubectl kubesentry incidents                         what is going on
  kubectl kubesentry incidents -w -n shop              go on, and show what changes in one namespace
  kubectl kubesentry incidents shop-web-1a2b3c         one of them: evidence, steps, timeline
  kubectl kubesentry incidents -o json | jq '.items[].status.phase'

${LIST_HELP}
`;

export const incidentsCommand = pluginCommand(
  { text: USAGE, arguments: [0, 1], options: LIST_OPTIONS },
  incidents,
);

/** Raises USAGE, and KUBE_NOT_FOUND for a name that no incident has. */
export async function incidents(session: Session): Promise<void> {
  const { connect, positionals, namespace, option, flag, write } = session;
  const [name] = positionals;
  if (name !== undefined && !flag('watch') && option('output') === undefined) {
    const incident = await (await connect()).get(KIND.Incident, { name });
    if (!incident) throw noIncident(name);
    write(details(incident));
    return;
  }
  let isFound = false;
  await list(session, KIND.Incident, TABLE, {
    isMeant: ({ metadata, spec }) => {
      const isMeant =
        (name === undefined || metadata.name === name) &&
        (namespace === undefined || spec.namespace === namespace);
      isFound ||= isMeant;
      return isMeant;
    },
    empty: namespace === undefined ? 'No incidents found.' : `No incidents found in namespace ${namespace}.`,
  });
  if (name !== undefined && !isFound) throw noIncident(name);
}

export function noIncident(name: string): KubesentryError {
  return new KubesentryError(
    'KUBE_NOT_FOUND',
    `There is no incident "${name}". All of them: kubectl kubesentry incidents`,
  );
}

/** Those that somebody may have to do something about come first. */
const URGENCY: readonly IncidentPhase[] = [
  'Confirmed',
  'Contained',
  'Detected',
  'Eradicated',
  'Closed',
  'Dismissed',
];

const TABLE: Table<Incident> = {
  header: ['NAME', 'PHASE', 'CONFIDENCE', 'NAMESPACE', 'WORKLOAD', 'RULE', 'WAITS FOR', 'LAST SEEN'],
  wide: ['PODS', 'NODES', 'MADE BY', 'QUARANTINE'],
  row: ({ metadata, spec, status }) => [
    metadata.name ?? '',
    status?.phase ?? '<unknown>',
    String(status?.confidence ?? '<unknown>'),
    spec.namespace || '<node>',
    `${spec.workload.kind}/${spec.workload.name}`,
    status?.detections[0]?.rule ?? '<none>',
    waitsFor(status),
    age(status?.lastSeen ?? metadata.creationTimestamp),
  ],
  wideRow: ({ status }) => [
    String((status?.pods.length ?? 0) + (status?.omitted.pods ?? 0)),
    String(status?.nodes.length ?? 0),
    status?.attribution?.creator?.user ?? '<unknown>',
    status?.quarantine ?? '<none>',
  ],
  compare: (a, b) =>
    urgencyOf(a) - urgencyOf(b) ||
    (b.status?.confidence ?? 0) - (a.status?.confidence ?? 0) ||
    ((a.status?.lastSeen ?? '') < (b.status?.lastSeen ?? '') ? 1 : -1),
};

function urgencyOf({ status }: Incident): number {
  return status ? URGENCY.indexOf(status.phase) : URGENCY.length;
}

/** Steps that people have to approve. */
function waitsFor(status: Incident['status']): string {
  if (status?.phase === 'Closed' || status?.phase === 'Dismissed') return '<none>';
  const steps = (status?.steps ?? []).filter(({ state }) => state === 'AwaitingApproval');
  return steps.map(({ step }) => step).join(',') || '<none>';
}

function details({ metadata, spec, status }: Incident): string {
  if (!status) return `${metadata.name}: nothing is known yet.\n`;
  const creator = status.attribution?.creator;
  const omitted = leftOut(status);
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
    ...(omitted === undefined ? [] : ['', omitted]),
  ];
  return `${lines.join('\n')}\n`;
}
