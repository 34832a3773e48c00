import { LRUCache } from 'lru-cache';
import { isLoopback, serviceAccountOf } from '../identity.ts';
import { type Rule, who } from './finding.ts';

const ADDRESSES = 10_000;

/** So many requests from their own addresses show that this cluster does not hide pods behind a gateway. */
const PROOF = 3;

/** From an address with the tokens of more pods than this comes what many pods send: it is a gateway. */
const PODS_BEHIND_ADDRESS = 2;

/**
 * A token bound to a pod (KEP-1205) that comes from neither the pod nor its node. Clusters that send pods through a
 * NAT or a tunnel to the API server look like this all the time: nothing is said before tokens were seen to come from
 * their own pods, nor about addresses that several pods share, nor about pods that are not known.
 */
export function borrowedToken(): Rule {
  const strangers = new LRUCache<string, ReadonlySet<string>>({ max: ADDRESSES });
  let own = 0;
  return (fact, { pods }) => {
    const { actor, address } = fact;
    if (!actor.podUid || address === '' || serviceAccountOf(actor.user) === undefined) return undefined;
    const pod = pods.byUid(actor.podUid);
    if (!pod || pod.addresses.length === 0 || isLoopback(address)) return undefined;
    if (pod.addresses.includes(address)) {
      own = Math.min(own + 1, PROOF);
      return undefined;
    }
    const others = new Set(strangers.get(address)).add(pod.uid);
    if (others.size <= PODS_BEHIND_ADDRESS + 1) strangers.set(address, others);
    if (own < PROOF || others.size > PODS_BEHIND_ADDRESS) return undefined;
    return {
      severity: 'high',
      message: `${who(fact)} used the token of pod ${pod.namespace}/${pod.name}, whose address is ${pod.addresses[0]}.`,
    };
  };
}
