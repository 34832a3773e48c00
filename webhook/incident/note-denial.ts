import type { Denial } from '../../api/denial.ts';
import { refusedRequest } from '../../kube/refused-request.ts';
import type { Log } from '../log.ts';
import type { IncidentStore } from './store.ts';
import { addTimeline } from './timeline.ts';

/** Tells the incident that admission refused something because of it. Never rejects. */
export async function noteDenial(
  incidents: Pick<IncidentStore, 'amend'>,
  denial: Denial,
  log: Log,
): Promise<void> {
  const { metadata, spec, status } = denial;
  if (!spec.incident || !status) return;
  const entry = {
    time: status.firstSeen,
    source: 'admission' as const,
    reference: metadata.name ?? '',
    message:
      `${refusedRequest(denial)} by ${spec.user.username} was refused: ${spec.findings[0]?.message ?? spec.gate}`.slice(
        0,
        1024,
      ),
  };
  try {
    await incidents.amend(spec.incident, (known) => addTimeline(known, [entry]));
  } catch (error) {
    log.warn({ incident: spec.incident, denial: metadata.name, err: error }, 'the incident lacks a denial');
  }
}
