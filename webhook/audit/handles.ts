import type { Fact } from './fact.ts';
import { type History, inOrder, MOST } from './history.ts';
import { isAnonymous, isClusterPart } from './identity.ts';
import { isWorkloadWrite, keyOf, workloadOf } from './workload.ts';

/** One handle on who acted. */
export interface Handle {
  kind: 'credential' | 'session' | 'user' | 'address';
  /** Completes "made ...": `by alice from 203.0.113.7`. */
  words: string;
  /** Everything that it wrote in the time looked at. */
  writes: readonly Fact[];
  /** Why it connects nothing; undefined when it does. */
  shared?: string;
}

/**
 * From more than this many users behind one address on, it is a NAT, a proxy or a bastion. An attacker is seen with
 * two or three there: anonymous, a stolen service account, and one of his own making.
 */
const USERS_BEHIND_ADDRESS = 3;

/**
 * Who writes more than this many workloads in a day that have nothing of the attack is a pipeline, an operator or an
 * administrator at work. An attacker writes more than this only with copies of the same thing, and those are counted
 * out, so that this bound does not protect him.
 */
const BUSY_FROM = 8;

/**
 * The handles on whoever sent a request, from narrow to wide, each with what it connects. A stolen credential of a
 * pipeline shows in the narrow ones: its user is busy, but the session from the attacker's address is not.
 */
export async function handlesOf(
  { actor, address }: Fact,
  history: History,
  isAttack: (fact: Fact) => boolean,
): Promise<Handle[]> {
  const { user, credential } = actor;
  const byUser = await history.find({ user, writesOnly: true });
  const byAddress = address === '' ? [] : await history.find({ address, writesOnly: true });
  const session = inOrder(byUser.filter((fact) => fact.address === address));
  const handles: Handle[] = [
    { kind: 'session', words: `by ${user} from ${address || 'an unknown address'}`, writes: session },
    { kind: 'user', words: `by ${user}`, writes: byUser },
  ];
  if (credential) {
    const writes = await history.find({ credential, writesOnly: true });
    handles.unshift({ kind: 'credential', words: `with the same credential of ${user}`, writes });
  }
  if (address !== '') handles.push({ kind: 'address', words: `from ${address}`, writes: byAddress });
  const crowd = address === '' ? undefined : await crowdBehind(address, history);
  return handles.map((handle) => {
    const shared = (handle.kind === 'address' ? crowd : undefined) ?? busy(handle, isAttack);
    return shared === undefined ? handle : { ...handle, shared };
  });
}

/** Why an address means nobody in particular. */
export async function crowdBehind(address: string, history: History): Promise<string | undefined> {
  const facts = await history.find({ address });
  if (facts.some(({ actor }) => isClusterPart(actor))) {
    return `${address} is an address of the cluster itself, behind which many stand.`;
  }
  const users = new Set(facts.filter(({ actor }) => !isAnonymous(actor)).map(({ actor }) => actor.user));
  return users.size > USERS_BEHIND_ADDRESS
    ? `${address} is shared by ${users.size} users: sharing it connects nothing.`
    : undefined;
}

function busy({ words, writes }: Handle, isAttack: (fact: Fact) => boolean): string | undefined {
  const others = new Set<string>();
  for (const fact of writes) {
    const workload = isWorkloadWrite(fact) && !isAttack(fact) ? workloadOf(fact) : undefined;
    if (workload) others.add(keyOf(workload));
  }
  if (others.size <= BUSY_FROM && writes.length < MOST) return undefined;
  return `${others.size} workloads were written ${words} that have nothing of the attack: being one of them connects nothing.`;
}
