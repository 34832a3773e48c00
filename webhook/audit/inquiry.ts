import { isDeepStrictEqual } from 'node:util';
import type { IncidentAttribution } from '../../api/attribution.ts';
import type { Detection } from '../../api/detection.ts';
import { type Incident, isOpen } from '../../api/incident.ts';
import type { Cluster } from '../../kube/cluster.ts';
import type { IncidentStore } from '../incident/store.ts';
import { incidentName } from '../incident/subject.ts';
import { addTimeline } from '../incident/timeline.ts';
import type { ClusterView } from '../view.ts';
import { anchorOf } from './anchor.ts';
import { attribute } from './attribution.ts';
import { byRuling, type Conviction, lookAgain, placedOf } from './look-again.ts';
import { type Outcome, recordOf, timelineOf } from './record.ts';
import type { Sibling } from './siblings.ts';
import type { FactStore } from './store.ts';
import { keyOf } from './workload.ts';

export interface InquiryTools {
  cluster: Pick<Cluster, 'get' | 'list'>;
  facts: Pick<FactStore, 'find'>;
  incidents: Pick<IncidentStore, 'add' | 'amend'>;
  view: Pick<ClusterView, 'pods' | 'facts' | 'incidents'>;
  clock: () => Date;
}

/** Siblings that are fetched and judged; the list is ordered by how certain they are. */
const LOOKS = 24;

/** So long after the deed everything about it has arrived: audit events come in batches, a second or two late. */
export const AUDIT_LAG_MS = 5_000;

/** A trait that somebody else shows is a little less than the detection itself. */
const SHARED = 0.95;

/**
 * Finds out who is behind an incident, looks at what else is theirs, and writes that into the incident. A sibling that
 * is a miner by itself or carries the attack becomes an incident of its own, which the policy may contain; whatever
 * else is connected is a candidate for people, and nothing happens to it.
 */
export async function inquire(incident: Incident, tools: InquiryTools): Promise<void> {
  const anchor = anchorOf(incident, tools.view.pods);
  if (!anchor) return;
  const attribution = await attribute(anchor, tools.facts);
  // Who went into the pod may not have been heard of yet.
  const isEarly = tools.clock().getTime() < anchor.time + AUDIT_LAG_MS;
  const mayCondemnCopies = !isEarly && !attribution.entered;
  const outcomes = new Map<string, Outcome>();
  for (const sibling of attribution.siblings.slice(0, LOOKS)) {
    outcomes.set(keyOf(sibling), await lookAt(sibling, incident, mayCondemnCopies, tools));
  }
  const record = recordOf(attribution, (sibling) => outcomes.get(keyOf(sibling)) ?? {});
  const lines = timelineOf(attribution);
  await tools.incidents.amend(incident.metadata.name ?? '', (status) => {
    if (!saysMore(record, status.attribution)) return status;
    const told = addTimeline(status, lines);
    return isDeepStrictEqual(status.attribution, record) ? told : { ...told, attribution: record };
  });
}

/** Where each replica keeps a history of its own, one that saw nothing must not wipe what another one found. */
function saysMore(after: IncidentAttribution, before: IncidentAttribution | undefined): boolean {
  return after.creator !== undefined || before?.creator === undefined;
}

async function lookAt(
  sibling: Sibling,
  incident: Incident,
  mayCondemnCopies: boolean,
  tools: InquiryTools,
): Promise<Outcome> {
  const { cluster, view, incidents, clock } = tools;
  const known = openIncidentOf(sibling, view.incidents());
  if (known) return { incident: known };
  const facts = view.facts(clock());
  const look = await lookAgain(sibling, sibling.actor, { cluster, facts });
  if (!look) return {};
  const verdict = look.ruling?.verdict ?? 'allow';
  const conviction =
    look.ruling?.verdict === 'deny'
      ? byRuling(look.ruling, sibling.time)
      : bySharing(sibling, incident, mayCondemnCopies);
  if (!conviction) return { verdict };
  const placed = placedOf(look.object, look.kind, conviction, view.pods);
  await incidents.add([placed]);
  const { namespace, kind, name } = sibling;
  return { verdict, incident: incidentName({ namespace, workload: { kind, name } }, 1) };
}

/** It has what nobody has by chance, or the command that was caught itself and the same author. */
function bySharing(
  { shares, strength, time }: Sibling,
  { metadata, status }: Incident,
  mayCondemnCopies: boolean,
): Conviction | undefined {
  const own = shares.find((facet) => facet === 'wallet' || facet === 'pool' || facet === 'binary');
  const copy =
    mayCondemnCopies &&
    shares.includes('template') &&
    strength === 'strong' &&
    status?.detections.some(isOwnCommand);
  if (!status || status.phase === 'Detected' || (!own && !copy)) return undefined;
  const facet = own ?? 'template';
  return {
    rule: 'shared-fingerprint',
    severity: 'high',
    confidence: Math.round(status.confidence * SHARED * 100) / 100,
    message: `It has the same ${facet} as incident ${metadata.name}.`,
    evidence: { judged: 'manifest', facet, sharedWith: metadata.name },
    time,
  };
}

const SHELL = /(^|\/)(ash|bash|busybox|dash|ksh|sh|zsh)$/;

/**
 * Whether the container was made to mine: nothing but shells stands between its first process and the miner. An
 * application that was broken into has copies that are innocent.
 */
function isOwnCommand({ process, container }: Detection): boolean {
  return container !== null && process.ancestors.every(({ exe }) => SHELL.test(exe));
}

function openIncidentOf(
  workload: { namespace: string; kind: string; name: string },
  incidents: Iterable<Incident>,
): string | undefined {
  for (const incident of incidents) {
    if (!isOpen(incident)) continue;
    const { metadata, spec } = incident;
    const { kind, name } = spec.workload;
    if (spec.namespace === workload.namespace && kind === workload.kind && name === workload.name) {
      return metadata.name;
    }
  }
  return undefined;
}
