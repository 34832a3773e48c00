import type { WorkloadRef } from '../../api/detection.ts';
import type { Fingerprint } from '../../api/fingerprint.ts';
import type { Fact } from './fact.ts';
import { type History, inOrder } from './history.ts';
import { isMaker, succeeded } from './identity.ts';
import { isTemplateWrite, resourceOf } from './workload.ts';

/** What was caught, and when. */
export interface Anchor {
  namespace: string;
  /** Top owner, as topOwner says it. */
  workload: WorkloadRef;
  pods: readonly { name: string; uid: string }[];
  /** Distinctive traits only. */
  fingerprint: Fingerprint;
  /** First detection or denial, in milliseconds since 1970. */
  time: number;
}

export interface Author {
  /** The request by which the workload came to run what it runs. */
  fact: Fact;
  /** How it was found: its object carries the traits, it wrote the object last, or it wrote an owner further up. */
  by: 'traits' | 'name' | 'owner';
}

/** Clocks of nodes and API servers differ a little. */
export const SKEW_MS = 30_000;

/** A pod of a Job of a CronJob of a custom resource is three. */
const CLIMB = 5;

/** Pods beyond that many tell nothing new about their owner. */
const PODS = 16;

/**
 * Who is behind the workload: not the controller that made the pod, but the author of what it was made for. A write
 * after the deed cannot have caused it, and one before the last deletion was another object.
 */
export async function authorOf(anchor: Anchor, history: History): Promise<Author | undefined> {
  const { namespace, workload } = anchor;
  const writes = await writesOf(history, namespace, workload);
  let owners = writes;
  if (workload.kind === 'Pod') {
    for (const { uid } of anchor.pods.slice(0, PODS)) {
      if (uid !== '') owners = inOrder([...owners, ...(await history.find({ uid, writesOnly: true }))]);
    }
  }
  // Operators make objects for owners as the built-in controllers do. Who only claims an owner is found all the same.
  return (
    choose(owners.filter(isUnowned), anchor) ??
    (await climb(owners, anchor, history)) ??
    choose(owners, anchor)
  );
}

const isUnowned = ({ target }: Fact) => target.owner === undefined;

/** Upward along the owners that the objects name. */
async function climb(writes: readonly Fact[], anchor: Anchor, history: History): Promise<Author | undefined> {
  let below = writes;
  for (let step = 0; step < CLIMB; step++) {
    const owner = below.find(({ target }) => target.owner)?.target.owner ?? '';
    const [, kind, name] = /^([^/]+)\/(.+)$/.exec(owner) ?? [];
    if (kind === undefined || name === undefined) return undefined;
    below = await writesOf(history, anchor.namespace, { kind, name });
    const found = choose(below.filter(isUnowned), anchor);
    if (found) return { ...found, by: 'owner' };
  }
  return undefined;
}

function writesOf(history: History, namespace: string, { kind, name }: WorkloadRef): Promise<Fact[]> {
  return history.find({ namespace, resource: resourceOf(kind), name, writesOnly: true });
}

function choose(facts: readonly Fact[], { time, fingerprint }: Anchor): Author | undefined {
  const gone = facts.findLast((fact) => fact.time <= time && isDeletion(fact));
  const writes = facts.filter(
    (fact) =>
      fact.time <= time + SKEW_MS &&
      fact.time > (gone?.time ?? Number.NEGATIVE_INFINITY) &&
      isTemplateWrite(fact) &&
      !isMaker(fact.actor.user),
  );
  // What was refused made nothing, but it is what a denial is about.
  const effective = writes.some(succeeded) ? writes.filter(succeeded) : writes;
  const carrying = effective.find((fact) => carries(fact, fingerprint));
  if (carrying) return { fact: carrying, by: 'traits' };
  const written =
    effective.findLast(({ verb, images }) => verb === 'create' || images.length > 0) ?? effective.at(-1);
  return written && { fact: written, by: 'name' };
}

function isDeletion(fact: Fact): boolean {
  return fact.verb === 'delete' && fact.target.subresource === '' && succeeded(fact);
}

/** Whether the object has a trait of what runs; its name and its creator say nothing about that. */
export function carries(fact: Fact, fingerprint: Fingerprint): boolean {
  return fact.fingerprint.some(
    ({ facet, value }) =>
      facet !== 'owner' &&
      facet !== 'creator' &&
      fingerprint.some((trait) => trait.facet === facet && trait.value === value),
  );
}
