import type { Anchor } from './author.ts';
import type { Fact } from './fact.ts';
import { crowdBehind, type Handle } from './handles.ts';
import { type History, inOrder } from './history.ts';
import { isAnonymous } from './identity.ts';
import { enablersOf } from './way-in.ts';

/** Somebody who came through more hands than this is not followed further. */
const SUSPECTS = 8;

/** Users of one address, and their Secrets that are asked for. */
const USERS = 16;

export interface Suspect {
  fact: Fact;
  /** Cannot be legitimate: nobody is meant to be anonymous, or to have rights from somebody who is. */
  tainted: boolean;
}

/** The author, who went in, and whoever gave them what they acted with, if that was no administrator at work. */
export async function suspectsOf(
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
    // Behind an address of many the administrator sits beside those whom he gives rights.
    const { address } = next.fact;
    const crowded = address !== '' && (await crowdBehind(address, history)) !== undefined;
    for (const enabler of await enablersOf(next.fact, anchor, history)) {
      const isSame = enabler.address !== '' && enabler.address === address && !crowded;
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
export async function deedsOf(handles: readonly Handle[], history: History): Promise<Fact[]> {
  const open = handles.filter(({ shared }) => shared === undefined);
  const writes = open.flatMap(({ writes }) => writes);
  const sessions = new Set(writes.map(({ actor, address }) => `${actor.user} ${address}`));
  const users = [...new Set(writes.map(({ actor }) => actor.user))].sort().slice(0, USERS);
  const reads = await Promise.all(users.map((user) => history.find({ user, resource: 'secrets' })));
  const theirs = reads.flat().filter(({ actor, address }) => sessions.has(`${actor.user} ${address}`));
  return inOrder([...writes, ...theirs]);
}
