import { type Anchor, type Author, SKEW_MS } from './author.ts';
import type { Fact } from './fact.ts';
import type { History } from './history.ts';
import { succeeded } from './identity.ts';

const HOUR_MS = 3_600_000;

/** 0 to 1: how sure we are that the author is behind the deed, and what that rests on. */
export function certaintyOf(
  anchor: Anchor,
  author: Author | undefined,
  entries: readonly Fact[],
): { confidence: number; reasons: string[] } {
  if (!author) return { confidence: 0, reasons: [] };
  const { actor, time, target, id } = author.fact;
  const where = `${target.resource} ${target.namespace}/${target.name}`;
  const reasons: string[] = [];
  let confidence = author.by === 'traits' ? 0.95 : author.by === 'name' ? 0.8 : 0.75;
  if (author.by === 'traits')
    reasons.push(`${where} was written with the traits of what runs (audit ${id}).`);
  else if (author.by === 'name')
    reasons.push(`${where} was written last by this user before it ran (audit ${id}).`);
  else reasons.push(`${where} owns the workload and was written by this user (audit ${id}).`);
  if (actor.impersonates) reasons.push(`The request was sent in the name of ${actor.impersonates}.`);
  const others = entries.filter(
    (entry) => entry.actor.user !== actor.user || entry.address !== author.fact.address,
  );
  // A container's own command is a trait as well, and stays the same when somebody starts a miner beside it.
  const brought = author.fact.fingerprint.some(({ facet }) => facet === 'wallet' || facet === 'pool');
  if (!brought && others.length > 0) {
    confidence = 0.4;
    reasons.push('Others went into its pods afterwards: the miner may be theirs.');
  } else if (anchor.time - time > HOUR_MS) {
    confidence = Math.min(confidence, 0.6);
    const hours = Math.round((anchor.time - time) / HOUR_MS);
    reasons.push(`It ran for ${hours} h before anything was found: its author may be a victim as well.`);
  }
  if (!succeeded(author.fact)) reasons.push('The request was refused.');
  return { confidence, reasons };
}

/** What would have to be known to say more. */
export async function gapsOf(
  anchor: Anchor,
  author: Author | undefined,
  history: History,
): Promise<string[]> {
  const { namespace, workload } = anchor;
  const missing: string[] = [];
  if (!author) missing.push(`No audit event shows who made ${workload.kind} ${namespace}/${workload.name}.`);
  else if (author.fact.address === '') missing.push('The event names no source address.');
  if (!(await history.reachesBack(HOUR_MS))) {
    const facts = await history.find({ namespace });
    const first = facts[0]?.time ?? anchor.time;
    missing.push(
      `No audit events before ${new Date(Math.min(first, anchor.time - SKEW_MS)).toISOString()} are kept.`,
    );
  }
  return missing;
}
