import type { Incident } from '../../../api/incident.ts';
import type { PlaybookStep } from '../../../api/playbook.ts';
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
  const incident = await cluster.get(KIND.Incident, { name: move.incident });
  if (!incident?.status) return undefined;
  const known = { ...incident, status: incident.status };
  const outcomes: (readonly [PlaybookStep, Outcome])[] =
    move.do === 'note'
      ? move.notes.map((note) => [note.step, outcomeOf(note, known, tools)] as const)
      : [[move.do, await attempt(move.do, incident, tools)] as const];
  await incidents.amend(move.incident, (status) => {
    let next = status;
    for (const [step, outcome] of outcomes) next = recorded(next, step, outcome, clock());
    return next;
  });
  return move.do === 'note' ? undefined : outcomes[0]?.[1].state;
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
