import { setTimeout as sleep } from 'node:timers/promises';
import { KubesentryError } from '../../api/errors.ts';
import { LABEL, QUARANTINE_NOTE } from '../../api/names.ts';
import { containsNamespace, type Quarantine } from '../../api/quarantine.ts';
import { KIND } from '../../kube/kind.ts';
import { contained } from './phases.ts';
import type { StepTools } from './steps.ts';

/** How long the label goes before the Quarantine at most, milliseconds. */
const AHEAD_MS = 250;

/**
 * The label first, by which the API server's own policy refuses, whichever replica it would ask: every agent hears of a
 * Quarantine, and thousands of them keep an API server busy just then. The leader goes on with `activate`, after
 * everything that is not contained yet.
 */
export async function contain(wanted: Quarantine, tools: StepTools): Promise<void> {
  const { incidents, clock } = tools;
  const { namespace, incident } = wanted.spec;
  const labelled = containsNamespace(wanted) ? label(namespace, wanted, tools) : undefined;
  if (labelled) {
    const ahead = sleep(AHEAD_MS, undefined, { ref: false });
    await Promise.race([labelled.catch(() => {}), ahead]);
  }
  const [quarantine] = await Promise.all([created(wanted, tools), labelled]);
  const name = incident ?? quarantine.metadata.name ?? '';
  await incidents.amend(name, (status) => contained(status, quarantine, clock()));
}

/** The one that another replica made, where it was faster. */
async function created(wanted: Quarantine, { cluster, noteQuarantine }: StepTools): Promise<Quarantine> {
  const quarantine = await cluster.create(KIND.Quarantine, wanted).catch(async (error: unknown) => {
    const existing =
      error instanceof KubesentryError && error.code === 'KUBE_CONFLICT'
        ? await cluster.get(KIND.Quarantine, { name: wanted.metadata.name ?? '' })
        : undefined;
    if (!existing) throw error;
    return existing;
  });
  noteQuarantine(quarantine);
  return quarantine;
}

/** Labels the namespace and says why, or takes both away. */
export async function label(
  namespace: string,
  quarantine: Quarantine | undefined,
  { cluster, clock }: StepTools,
): Promise<void> {
  const metadata = {
    labels: { [LABEL.quarantine]: quarantine?.metadata.name ?? null },
    annotations: { [QUARANTINE_NOTE]: quarantine ? noteOf(quarantine, clock()) : null },
  };
  await cluster.patch(KIND.Namespace, { name: namespace }, { metadata }).catch((error: unknown) => {
    // It is gone, and with it what was to be contained.
    if (!(error instanceof KubesentryError && error.code === 'KUBE_NOT_FOUND')) throw error;
  });
}

/** Goes on from the name of the quarantine. One line: CEL takes no message with line breaks. */
function noteOf({ metadata, spec }: Quarantine, now: Date): string {
  const since = ` since ${metadata.creationTimestamp ?? now.toISOString()}`;
  const incident = spec.incident ? ` Incident ${spec.incident}.` : '';
  const reason = spec.reason.replace(/\s+/g, ' ').replace(/\.?$/, '.');
  return `${since}: ${reason}${incident}`;
}
