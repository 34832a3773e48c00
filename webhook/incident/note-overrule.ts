import type { Overrule } from '../admission/overrule.ts';
import type { Log } from '../log.ts';
import type { IncidentStore } from './store.ts';
import { addTimeline } from './timeline.ts';

/** Tells the log, and the incident if it is about one, who decided what. Never rejects. */
export async function noteOverrule(
  incidents: Pick<IncidentStore, 'amend'>,
  { incident, user, acts }: Overrule,
  now: Date,
  log: Log,
): Promise<void> {
  log.info({ incident, user, acts }, 'people decided');
  if (incident === undefined) return;
  const lines = acts.map((act) => ({
    time: now.toISOString(),
    source: 'operator' as const,
    reference: `${act} by ${user}`.slice(0, 253),
    message: `${user} ${act}.`,
  }));
  try {
    await incidents.amend(incident, (status) => addTimeline(status, lines));
  } catch (error) {
    log.warn({ incident, user, err: error }, 'the incident does not tell who decided');
  }
}
