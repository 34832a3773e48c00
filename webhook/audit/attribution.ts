import { type Anchor, type Author, authorOf, carries } from './author.ts';
import { certaintyOf, gapsOf } from './certainty.ts';
import { type Change, changesOf } from './changes.ts';
import type { Fact } from './fact.ts';
import { type Handle, handlesOf } from './handles.ts';
import { History, inOrder } from './history.ts';
import { isMaker, succeeded } from './identity.ts';
import { type Sibling, siblingsOf } from './siblings.ts';
import type { FactStore } from './store.ts';
import { deedsOf, suspectsOf } from './suspects.ts';
import { enablersOf, entriesInto, type Hop, hopOf } from './way-in.ts';
import { keyOf, resourceOf, workloadOf } from './workload.ts';

/** Who did it, how they came in, and what else is theirs; as far as the audit facts tell. */
export interface Attribution {
  /** Undefined when no event shows who made the workload. */
  creator: Fact | undefined;
  /** In order of time, up to the request that made the workload. */
  wayIn: Hop[];
  /** Whether somebody went into its pods before the deed: then the miner need not be what the pod was made for. */
  entered: boolean;
  siblings: Sibling[];
  changes: Change[];
  /** How often controllers made its pods again after the deed, and who wrote the workload itself again. */
  respawns: { pods: number; rewrites: Fact[] };
  /** 0 to 1: how sure we are that the creator is behind the deed. */
  confidence: number;
  /** What the confidence rests on, and what speaks against it. */
  reasons: string[];
  /** What is not known, and which traces are shared by too many to connect anything. */
  missing: string[];
}

const HOUR_MS = 3_600_000;
const BACK_MS = 24 * HOUR_MS;
const FORWARD_MS = HOUR_MS;

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
    entered: entries.length > 0,
    siblings: siblings.slice(0, SIBLINGS),
    changes: changes.slice(0, CHANGES),
    respawns: await respawnsOf(anchor, author, history),
    ...certaintyOf(anchor, author, entries),
    missing: [
      ...(await gapsOf(anchor, author, history)),
      ...[...handles.values()].flatMap(({ shared }) => shared ?? []),
      ...(siblings.length > SIBLINGS
        ? [`${siblings.length - SIBLINGS} more workloads are connected with it.`]
        : []),
    ],
  };
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
