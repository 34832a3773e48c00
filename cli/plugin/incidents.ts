import { KubesentryError } from '../../api/errors.ts';
import type { Incident, IncidentPhase } from '../../api/incident.ts';
import { KIND } from '../../kube/kind.ts';
import { details, waitsFor } from './incident-details.ts';
import { age, LIST_HELP, LIST_OPTIONS, list, type Table } from './listing.ts';
import { pluginCommand, type Session } from './options.ts';

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
    const cluster = await connect();
    const incident = await cluster.get(KIND.Incident, { name });
    if (!incident) throw noIncident(name);
    const { quarantine } = incident.status ?? {};
    write(
      details(incident, quarantine ? await cluster.get(KIND.Quarantine, { name: quarantine }) : undefined),
    );
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
    waitsFor(status).join(',') || '<none>',
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
