import type { Incident } from '../../../api/incident.ts';
import type { Cluster } from '../../../kube/cluster.ts';
import { KIND } from '../../../kube/kind.ts';
import type { IncidentStatus, IncidentStore } from '../../incident/store.ts';
import type { ClusterView } from '../../view.ts';
import { blastRadius } from './blast-radius.ts';
import { confirm } from './confirm.ts';
import { type Outcome, recorded } from './outcome.ts';
import type { Look, Move, Note } from './plan-playbook.ts';
import { revoke } from './revoke.ts';
import { terminate } from './terminate.ts';
import { wayIn } from './way-in.ts';

export interface PlaybookTools {
  cluster: Cluster;
  incidents: Pick<IncidentStore, 'amend'>;
  view: Pick<ClusterView, 'pods' | 'incidents' | 'policy'>;
  clock: () => Date;
}

/**
 * Makes one move and writes into the incident what came of it; answers that. A step that the API server refuses is
 * written down as failed, so that people see why, and tried again.
 */
export async function act(move: Move, tools: PlaybookTools): Promise<Outcome['state'] | undefined> {
  const { cluster, incidents, clock } = tools;
  if (move.do === 'note') {
    await incidents.amend(move.incident, (status, incident) => {
      const known = { ...incident, status };
      return move.notes.reduce(
        (next, note) => recorded(next, note.step, outcomeOf(note, known, tools), clock()),
        status,
      );
    });
    return undefined;
  }
  const incident = await cluster.get(KIND.Incident, { name: move.incident });
  if (!incident?.status) return undefined;
  const outcome = await attempt(move.do, incident, tools);
  await incidents.amend(move.incident, (status) => recorded(status, move.do, outcome, clock()));
  return outcome.state;
}

async function attempt(
  deed: 'terminate' | 'revoke',
  incident: Incident,
  { cluster, view }: PlaybookTools,
): Promise<Outcome> {
  try {
    return deed === 'terminate'
      ? await terminate(incident, { cluster, gracePeriodSeconds: view.policy.gracePeriodSeconds })
      : await revoke(incident, cluster);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { state: 'Failed', message: `${why} It is tried again.` };
  }
}

function outcomeOf(
  note: Note,
  incident: Incident & { status: IncidentStatus },
  tools: PlaybookTools,
): Outcome {
  return 'outcome' in note ? note.outcome : { ...look(note.step, incident, tools), basis: note.basis };
}

function look(step: Look, incident: Incident & { status: IncidentStatus }, { view }: PlaybookTools): Outcome {
  switch (step) {
    case 'confirm':
      return confirm(incident.status);
    case 'blastRadius':
      return blastRadius(incident, { pods: view.pods, incidents: view.incidents() });
    case 'wayIn':
      return wayIn(incident);
    case 'report':
      return {
        state: 'Done',
        message: `To do: kubectl kubesentry report ${incident.metadata.name} -o html`,
      };
  }
}
