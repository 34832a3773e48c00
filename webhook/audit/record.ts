import { ATTRIBUTION_BOUNDS, type Creator, type IncidentAttribution } from '../../api/attribution.ts';
import type { TimelineEntry } from '../../api/incident.ts';
import type { Attribution } from './attribution.ts';
import type { Fact } from './fact.ts';
import type { AuditFinding } from './rules/finding.ts';
import type { Sibling } from './siblings.ts';

/** What became of a sibling that was looked at. */
export interface Outcome {
  verdict?: 'allow' | 'warn' | 'deny';
  /** The incident that it has or got. */
  incident?: string;
}

/** An attribution in the size and words in which an Incident keeps it. */
export function recordOf(
  attribution: Attribution,
  outcomeOf: (sibling: Sibling) => Outcome,
): IncidentAttribution {
  const { creator, wayIn, siblings, changes, respawns, confidence, reasons, missing } = attribution;
  const bounds = ATTRIBUTION_BOUNDS;
  return {
    ...(creator && { creator: creatorOf(creator) }),
    wayIn: wayIn.slice(-bounds.hops).map(({ kind, time, user, address, auditID, message }) => ({
      kind,
      time: timeOf(time),
      user: cut(user, 512),
      address: cut(address, 64),
      auditID,
      message: cut(message, 512),
    })),
    siblings: siblings.slice(0, bounds.siblings).map((sibling) => ({
      namespace: cut(sibling.namespace, 63),
      kind: cut(sibling.kind, 63),
      name: cut(sibling.name, 253),
      strength: sibling.strength,
      reasons: sibling.reasons.slice(0, 8).map((reason) => cut(reason, 256)),
      auditID: sibling.auditID,
      ...outcomeOf(sibling),
    })),
    changes: changes.slice(0, bounds.changes).map(({ time, user, auditID, times, message }) => ({
      time: timeOf(time),
      user: cut(user, 512),
      auditID,
      times,
      message: cut(message, 512),
    })),
    respawns: respawns.pods + respawns.rewrites.length,
    confidence,
    reasons: reasons.slice(0, bounds.reasons).map((reason) => cut(reason, 512)),
    missing: missing.slice(0, bounds.missing).map((line) => cut(line, 512)),
  };
}

/** One line for each event that matters, whatever it matters for. */
export function timelineOf({ wayIn, siblings, changes, respawns }: Attribution): TimelineEntry[] {
  const lines = new Map<string, TimelineEntry>();
  const tell = (auditID: string, time: number, message: string) => {
    if (!lines.has(auditID)) lines.set(auditID, entryOf(auditID, time, message));
  };
  for (const { auditID, time, user, address, message } of wayIn) {
    tell(auditID, time, `${user}${address ? ` (${address})` : ''} ${message}.`);
  }
  for (const { auditID, time, kind, namespace, name, strength, reasons } of siblings) {
    if (strength === 'strong') tell(auditID, time, `${kind} ${namespace}/${name} ${reasons[0]}.`);
  }
  for (const { id, time, actor, target } of respawns.rewrites) {
    tell(id, time, `${actor.user} made ${target.resource} ${target.namespace}/${target.name} again.`);
  }
  for (const { auditID, time, user, message, times } of changes.slice(0, ATTRIBUTION_BOUNDS.changes)) {
    tell(auditID, time, `${user} ${message}${times > 1 ? ` (${times} times)` : ''}.`);
  }
  return [...lines.values()];
}

/** The line that a finding adds to an incident. */
export function lineOf({ rule, message, fact }: AuditFinding): TimelineEntry {
  return entryOf(fact.id, fact.time, `${rule}: ${message}`);
}

function entryOf(reference: string, time: number, message: string): TimelineEntry {
  return { time: timeOf(time), source: 'audit', reference: cut(reference, 253), message: cut(message, 1024) };
}

function creatorOf({ actor, address, userAgent, id, time }: Fact): Creator {
  return {
    user: cut(actor.user, 512),
    groups: actor.groups.slice(0, 16).map((group) => cut(group, 256)),
    ...(actor.impersonates && { impersonates: cut(actor.impersonates, 512) }),
    address: cut(address, 64),
    userAgent: cut(userAgent, 256),
    auditID: id,
    time: timeOf(time),
  };
}

function timeOf(time: number): string {
  return new Date(time).toISOString();
}

function cut(text: string, length: number): string {
  return text.slice(0, length);
}
