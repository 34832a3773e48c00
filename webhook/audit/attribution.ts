import { type Anchor, type Author, authorOf, carries, SKEW_MS } from './author.ts';
import { type Change, changesOf } from './changes.ts';
import type { Fact } from './fact.ts';
import { History, inOrder } from './history.ts';
import { isAnonymous, isMaker, succeeded } from './identity.ts';
import { type Sibling, siblingsOf } from './siblings.ts';
import type { FactStore } from './store.ts';
import { type Handle, handlesOf } from './suspects.ts';
import { enablersOf, entriesInto, type Hop, hopOf } from './way-in.ts';
import { keyOf, resourceOf, workloadOf } from './workload.ts';

/** Who did it, how they came in, and what else is theirs; as far as the audit facts tell. */
export interface Attribution {
  /** Undefined when no event shows who made the workload. */
  creator: Fact | undefined;
  /** In order of time, up to the request that made the workload. */
  wayIn: Hop[];
  siblings: Sibling[];
  changes: Change[];
  /** How often controllers made its pods again after the deed, and who wrote the workload itself again. */
  respawns: { pods: number; rewrites: Fact[] };
  /** 0 to 1: how sure we are that the creator is behind the deed. */
  confidence: number;
  /** What the confidence rests on, and what speaks against it. */
  reasons: string[];
  /** What would have to be known to say more. */
  missing: string[];
}

const HOUR_MS = 3_600_000;
const BACK_MS = 24 * HOUR_MS;
const FORWARD_MS = HOUR_MS;

/** Somebody who came through more hands than this is not followed further. */
const SUSPECTS = 8;

/** Of an attack of a day; what finds no room is said in `missing`. */
const HOPS = 16;
const SIBLINGS = 64;
const CHANGES = 32;

/**
 * Attributes a deed: from the workload up to who wrote it, from there back 24 h to how they came in, and forward 1 h
 * to what else they did. Reads only the store; the same facts in any order give the same answer.
 */
export async function attribute(anchor: Anchor, store: Pick<FactStore, 'find'>): Promise<Attribution> {
  const history = new History(store, anchor.time - BACK_MS, anchor.time + FORWARD_MS);
  const author = await authorOf(anchor, history);
  const entries = await entriesInto(anchor, history);
  // Who made the workload long ago is its owner; who went into its pod just before is another matter.
  const suspects = await suspectsOf([...(author ? [author.fact] : []), ...entries], anchor, history);
  const isAttack = (fact: Fact) => carries(fact, anchor.fingerprint);
  const handles = new Map<string, Handle & { tainted: boolean }>();
  for (const { fact, tainted } of suspects.values()) {
    for (const handle of await handlesOf(fact, history, isAttack)) {
      const known = handles.get(handle.words);
      handles.set(handle.words, { ...handle, tainted: tainted || known?.tainted === true });
    }
  }
  const theirs = await deedsOf([...handles.values()], history);
  const enablers = (
    await Promise.all([...suspects.values()].map(({ fact }) => enablersOf(fact, anchor, history)))
  ).flat();
  const hops = inOrder([...entries, ...enablers, ...theirs]).flatMap((fact) => hopOf(fact, anchor) ?? []);
  const self = keyOf({ namespace: anchor.namespace, ...anchor.workload });
  const siblings = await siblingsOf(
    {
      fingerprint: anchor.fingerprint,
      handles: [...handles.values()],
      isAnchor: (workload) => keyOf(workload) === self,
    },
    history,
  );
  const changes = changesOf(theirs);
  return {
    creator: author?.fact,
    wayIn: [...shorten(hops), ...(author ? [creation(author.fact)] : [])].sort(
      (a, b) => a.time - b.time || (a.auditID < b.auditID ? -1 : 1),
    ),
    siblings: siblings.slice(0, SIBLINGS),
    changes: changes.slice(0, CHANGES),
    respawns: await respawnsOf(anchor, author, history),
    ...judge(anchor, author, entries),
    missing: [
      ...(await gaps(anchor, author, history)),
      ...[...handles.values()].flatMap(({ shared }) => shared ?? []),
      ...(siblings.length > SIBLINGS
        ? [`${siblings.length - SIBLINGS} more workloads are connected with it.`]
        : []),
    ],
  };
}

interface Suspect {
  fact: Fact;
  /** Cannot be legitimate: nobody is meant to be anonymous, or to have rights from somebody who is. */
  tainted: boolean;
}

/** The author, who went in, and whoever gave them what they acted with, if that was no administrator at work. */
async function suspectsOf(
  first: readonly Fact[],
  anchor: Anchor,
  history: History,
): Promise<Map<string, Suspect>> {
  const suspects = new Map<string, Suspect>();
  const queue = first.map((fact) => ({ fact, tainted: isAnonymous(fact.actor) }));
  for (let next = queue.shift(); next && suspects.size < SUSPECTS; next = queue.shift()) {
    const key = `${next.fact.actor.user} ${next.fact.address} ${next.fact.actor.credential ?? ''}`;
    const known = suspects.get(key);
    if (known && (known.tainted || !next.tainted)) continue;
    suspects.set(key, next);
    for (const enabler of await enablersOf(next.fact, anchor, history)) {
      const isSame = enabler.address !== '' && enabler.address === next.fact.address;
      if (isAnonymous(enabler.actor)) {
        suspects.set(key, { ...next, tainted: true });
        queue.push({ fact: enabler, tainted: true });
      } else if (isSame || enabler.target.subresource === 'token')
        queue.push({ fact: enabler, tainted: false });
    }
  }
  return suspects;
}

/** What the unshared handles did: their writes, and what they read of Secrets. */
async function deedsOf(handles: readonly Handle[], history: History): Promise<Fact[]> {
  const open = handles.filter(({ shared }) => shared === undefined);
  const writes = open.flatMap(({ writes }) => writes);
  const users = new Set(writes.map(({ actor, address }) => `${actor.user} ${address}`));
  const reads = (await history.find({ resource: 'secrets' })).filter(({ actor, address }) =>
    users.has(`${actor.user} ${address}`),
  );
  return inOrder([...writes, ...reads]);
}

/** The first of each kind by each user is a hop; the rest only repeats it. */
function shorten(hops: readonly Hop[]): Hop[] {
  const first = new Map<string, Hop>();
  for (const hop of hops) {
    const key = hop.kind === 'secrets' || hop.kind === 'anonymous' ? `${hop.kind} ${hop.user}` : hop.message;
    if (!first.has(key)) first.set(key, hop);
  }
  return [...first.values()].slice(-HOPS);
}

function creation({ id, time, actor, address, verb, target }: Fact): Hop {
  const message = `sent ${verb} of ${target.resource} ${target.namespace}/${target.name}, which ran it`;
  return { kind: 'create', auditID: id, time, user: actor.user, address, message };
}

async function respawnsOf(
  anchor: Anchor,
  author: Author | undefined,
  history: History,
): Promise<Attribution['respawns']> {
  const { namespace, workload, time } = anchor;
  const self = keyOf({ namespace, ...workload });
  const pods = (await history.find({ namespace, resource: 'pods', writesOnly: true })).filter((fact) => {
    const of = workloadOf(fact);
    return (
      fact.verb === 'create' && fact.target.subresource === '' && fact.time > time && of && keyOf(of) === self
    );
  });
  const again = await history.find({
    namespace,
    resource: resourceOf(workload.kind),
    name: workload.name,
    writesOnly: true,
  });
  const rewrites = again.filter(
    (fact) =>
      fact.verb === 'create' &&
      fact.time > time &&
      fact.id !== author?.fact.id &&
      fact.target.subresource === '' &&
      succeeded(fact),
  );
  return { pods: pods.filter(({ actor }) => isMaker(actor.user)).length, rewrites: rewrites.slice(0, HOPS) };
}

function judge(
  anchor: Anchor,
  author: Author | undefined,
  entries: readonly Fact[],
): Pick<Attribution, 'confidence' | 'reasons'> {
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

async function gaps(anchor: Anchor, author: Author | undefined, history: History): Promise<string[]> {
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
